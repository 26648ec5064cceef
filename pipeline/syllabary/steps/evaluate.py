"""Step ``evaluate``: a model and recordings it was not trained on to log likelihoods."""

from collections.abc import Sequence
from pathlib import Path

from ..settings import read
from ._shared import Rows, Section, each_row, judge, made_by

__all__ = ["evaluate"]


def evaluate(
    *,
    crops: Sequence[Path],
    model: Path,
    likelihood: Path,
    recordings: Rows,
    settings: Section,
    seed: int,
    quality: Sequence[Path] = (),
    device: str = "auto",
) -> None:
    """Score a model by the log likelihood of recordings, in units that all models share.

    Parameters
    ----------
    crops
        ``crops.h5`` of the recordings, in folders named after them.
    model
        ``model.safetensors``.
    likelihood
        Table to write: ``likelihood.parquet``.
    quality
        Optional ``quality.json`` of the recordings; recordings that it leaves out are not scored.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; by default ``machine.device`` of the config.
    """
    import pandas as pd

    from .. import devices
    from ..progress import track
    from ..provenance import generator
    from ..records import tables
    from ..records.crops import Crops
    from ..svae import scores
    from ..svae.model import Model
    from ..svae.settings import EvaluateSettings

    place = devices.use(device)
    chosen = read(EvaluateSettings, settings, "evaluate")
    rows = each_row("evaluate", recordings, crops=crops)
    provenance = made_by("evaluate", chosen, [*crops, model], seed=seed, device=devices.describe(place))
    fitted = Model.load(model).to(place)
    parts = []
    judged = judge(rows, quality)
    pairs = [(path, each.row) for path, each in zip(crops, judged, strict=True) if each.is_used]
    for path, row in track(pairs, "evaluate", unit="recordings"):
        with Crops(path) as recording:
            rng = generator(seed, "evaluate", row["recording"])
            part = scores.table(fitted, recording, chosen, rng)
        parts.append(part.assign(**{name: row[name] for name in ("recording", "subject", "role")}))
    scored = (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(tables.LIKELIHOOD))
    )
    tables.write(likelihood, scored, provenance, tables.LIKELIHOOD)
