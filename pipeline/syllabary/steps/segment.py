"""Step ``segment``: crops and a model to labels."""

from pathlib import Path

from ._shared import made_by

__all__ = ["segment"]


def segment(
    *, crops: Path, model: Path, posterior: Path, labels: Path, names: Path | None = None
) -> None:
    """Label every tick of a recording with a syllable, and write its posterior probabilities.

    Parameters
    ----------
    crops
        ``crops.h5`` of the recording.
    model
        ``model.safetensors``.
    posterior
        File to write: ``.h5`` with the posterior of states and latents.
    labels
        Table to write: ``.parquet`` with a syllable for every tick.
    names
        Optional table of syllable names (``names.tsv``).
    """
    from ..records import tables
    from ..records.crops import Crops
    from ..records.posterior import Posterior
    from ..svae import segmentation
    from ..svae.model import Model
    from ..syllables import decode
    from ..syllables.names import read

    by_people = read(names) if names else {}
    provenance = made_by("segment", {}, [crops, model, *([names] if names else [])])
    fitted = Model.load(model)
    with Crops(crops) as recording:
        result = segmentation.segment(fitted, fitted.latents(recording), recording)
        table = decode.labels(
            recording.frame,
            recording.time_s,
            path=result.path,
            states=result.states,
            surprise_nats=result.surprise_nats,
            names={k: name for k, name in enumerate(fitted.classes) if name} | by_people,
        )
    Posterior(result.mean, result.sd, result.states).save(posterior, provenance)
    tables.write(labels, table, provenance, tables.LABELS)
