"""Step ``reduce``: training crops to principal components and model-free change points."""

from collections.abc import Sequence
from pathlib import Path

from ..settings import read
from ._shared import Section, accepted, made_by

__all__ = ["reduce"]


def reduce(
    *,
    crops: Sequence[Path],
    quality: Sequence[Path],
    pca: Path,
    changepoints: Path,
    settings: Section,
    seed: int,
) -> None:
    """Fit principal components to the training crops, and find model-free change points.

    Parameters
    ----------
    crops
        ``crops.h5`` of the training recordings.
    quality
        ``quality.json`` of the same recordings, in the same order; rejected recordings are left out.
    pca
        File to write: ``pca.h5``, with one reduction of raw crops and one of registered crops.
    changepoints
        Table to write: ``changepoints.parquet``, found in the pose of registered crops.
    """
    from ..records import files, tables
    from ..records.crops import Crops
    from ..reduction import reduction
    from ..reduction.settings import ReduceSettings
    from ..syllables.changepoints import find, join
    from ..syllables.settings import ChangepointSettings

    values = {key: value for key, value in settings.items() if key != "changepoints"}
    chosen = read(ReduceSettings, values, "reduce")
    finding = read(ChangepointSettings, settings.get("changepoints"), "reduce.changepoints")
    used = accepted(crops, quality)
    provenance = made_by("reduce", settings, used, seed=seed)
    fitted = reduction.fit(used, chosen, seed=seed)
    by_recording = []
    for path in used:
        with Crops(path) as recording:
            series = fitted[reduction.REGISTERED].latents(recording)
            clock = series.clock
            changes = find(
                series.values[:, : series.pose],
                series.observed,
                clock.time_s if clock else recording.time_s,
                finding,
                recording=recording.recording,
                seed=seed,
            )
            if clock:
                changes["tick"] = clock.tick_of_row.searchsorted(changes["tick"]).astype("int32")
            by_recording.append(changes)
    with files.together():
        reduction.save(pca, fitted, provenance)
        tables.write(changepoints, join(by_recording), provenance)
