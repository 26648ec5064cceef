"""Step ``label``: the posterior of a recording, and which states are one syllable, to labels."""

import logging
from pathlib import Path

from ._shared import made_by

__all__ = ["label"]

log = logging.getLogger(__name__)


def label(
    *,
    posterior: Path,
    model: Path,
    labels: Path,
    merges: Path | None = None,
    names: Path | None = None,
) -> None:
    """Label every tick of a recording with its most probable syllable; nothing is inferred again.

    Parameters
    ----------
    posterior
        Posterior of the recording (``.h5``) by the same model.
    model
        ``model.safetensors``, for its merge tree and the names of its states.
    labels
        Table to write: ``.parquet`` with a syllable and a state for every tick.
    merges
        Optional table of states that people merged or kept apart (``merges.tsv``).
    names
        Optional table of syllable names (``names.tsv``).
    """
    from ..records import tables
    from ..records.merge_tree import MergeTree
    from ..records.posterior import Posterior
    from ..syllables import decode, tree
    from ..syllables import names as syllable_names

    chosen = tree.read(merges) if merges else None
    by_people = syllable_names.read(names) if names else {}
    inputs = [posterior, model, *(path for path in (merges, names) if path)]
    provenance = made_by("label", {}, inputs)
    fitted, segmented = MergeTree.load(model), Posterior.load(posterior)
    states = segmented.states.shape[1]
    syllable_of = tree.syllable_of_states(states, fitted.linkage, chosen)
    if names:
        syllable_names.require(names, by_people, len(set(syllable_of.tolist())))
    log.info("%d states are %d syllables", states, len(set(syllable_of.tolist())))
    table = decode.labels(
        segmented.frame,
        segmented.time_s,
        states=segmented.states,
        surprise_nats=segmented.surprise_nats,
        syllable_of=syllable_of,
        names=tree.names(syllable_of, fitted.classes, chosen) | by_people,
    )
    tables.write(labels, table, provenance, tables.LABELS, syllable_of=syllable_of)
