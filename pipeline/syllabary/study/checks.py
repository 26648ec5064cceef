"""Checks of a study before any work starts: each mistake becomes one sentence."""

import difflib
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ..errors import BadInput, BadSetting, SyllabaryError
from ..records import annotations
from ..records.crops import Crops
from ..records.merge_tree import MergeTree
from .config import Config, candidates, extract_settings, fits
from .recordings import SIMULATED

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

log = logging.getLogger(__name__)

__all__ = [
    "check_choices",
    "require_design",
    "require_held_out",
    "require_labels",
    "require_overrides",
    "require_paths",
    "require_sources",
    "require_tables",
]


def check_choices(config: Config) -> None:
    """Check the settings that live behind a name: priors, export formats, figures, colors."""
    from ..export.settings import require_formats
    from ..figures.choices import chosen
    from ..svae.choices import require_choices

    for name, model in config.models.items():
        require_choices(model, f"models.{name}")
    for variant, settings in {c.variant: c.settings for c in candidates(config).values()}.items():
        require_choices(settings, f"select.settings.{variant}")
    require_formats(config.export)
    chosen(config.draw)


def require_overrides(config: Config, recordings: pd.DataFrame) -> None:
    """Require that settings of single recordings are of recordings in the table.

    Raises
    ------
    BadSetting
        Names one that is not, and the nearest that is.
    """
    for name in config.overrides:
        if name not in recordings.index:
            near = difflib.get_close_matches(name, recordings.index, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"{config.recordings} lists them all."
            raise BadSetting(f"overrides.{name}: no such recording; {hint}")


def require_paths(config: Config, recordings: pd.DataFrame) -> None:
    """Require that the files of the settings can be inputs of Snakemake; those of recordings always can.

    Raises
    ------
    BadSetting
        A path has braces, which Snakemake takes for the name of a wildcard.
    """
    paths = {"labels": config.labels, "extract.heading.weights": config.extract.heading.weights}
    paths |= {f"models.{name}.path": model.path for name, model in config.models.items()}
    for name in recordings.index:
        settings = extract_settings(config, str(name))
        paths |= {f"extract.arena.mask of {name}": settings.arena.mask}
    for name, path in paths.items():
        if path is not None and "{" in str(path):
            raise BadSetting(
                f"setting {name} = {str(path)!r}: the path of this file must have no braces; rename it "
                "or link to it (ln -s)."
            )


def require_sources(config: Config, recordings: pd.DataFrame) -> None:
    """Look at every raw recording and outline, frames unread; collect what is wrong with each.

    Raises
    ------
    BadInput
        A line for each recording that cannot be read.
    """
    from ..depth.arena import outline
    from ..depth.sources import require

    faults = []
    for recording, path in recordings["path"].items():
        settings = extract_settings(config, str(recording))
        try:
            outline.require(settings.arena)
            if path != SIMULATED:
                require(Path(path), settings.source)
        except BadInput as error:
            faults.append(f"{recording}: {error}")
    if faults:
        raise BadInput("\n".join(faults))


def require_design(config: Config, recordings: pd.DataFrame) -> None:
    """Require that what is compared is in the table of recordings, in pairs or without any.

    Raises
    ------
    BadSetting
        One sentence about the column or the animals, see ``syllables.design.require``.
    """
    from ..syllables import design

    design.require(recordings, config.summarize)


def require_held_out(config: Config, recordings: pd.DataFrame) -> None:
    """Require animals that no model sees where a model is to be selected by them.

    Raises
    ------
    BadInput
        There are none.
    """
    if config.select.model is not None and not (recordings["role"] == "held_out").any():
        raise BadInput(
            f"{config.recordings}: no recording has the role 'held_out', and select.model = "
            f"{config.select.model!r} is to be judged by animals never trained on; give some that role."
        )


def require_labels(
    path: Path | str, recordings: pd.DataFrame, folder: Path | str = "results/recordings"
) -> None:
    """Read what people labeled, if there is such a file: every label must be of a recording listed.

    Labels of a recording whose crops are there already must begin before its end.

    Raises
    ------
    BadInput
        The first thing that is wrong, with its line.
    """
    if not Path(path).is_file():
        return
    ends = dict[str, float]()
    for bout in annotations.bouts(path, recordings.index):
        if bout.recording not in ends:
            ends[bout.recording] = _end_s(Path(folder) / bout.recording / "crops.h5")
        annotations.require_within(path, bout, ends[bout.recording])


def _end_s(crops: Path) -> float:
    """Return the end of a recording, s; infinity where its crops cannot be read yet."""
    if not crops.is_file():
        return math.inf
    try:
        with Crops(crops) as recording:
            return annotations.end_s(recording.time_s)
    except (SyllabaryError, OSError):
        return math.inf


def require_tables(config: Config, folder: Path | str = "config") -> None:
    """Read people's tables of states and names of every model, ``merges`` and ``names/<model>.tsv``.

    Of a model that is fitted already, they must name states and syllables that it has.

    Raises
    ------
    BadInput
        The first thing that is wrong, with its line.
    """
    from ..syllables import names, tree

    models = fits(config)
    for name, model in models.items():
        merges, named = (Path(folder) / part / f"{name}.tsv" for part in ("merges", "names"))
        chosen = tree.read(merges) if merges.is_file() else None
        by_people = names.read(named) if named.is_file() else {}
        linkage = _linkage(Path(model.settings.path or f"results/models/{name}/model.safetensors"))
        if linkage is not None and (chosen or by_people):
            syllable_of = tree.syllable_of_states(len(linkage) + 1, linkage, chosen)
            names.require(named, by_people, int(syllable_of.max()) + 1)
    for part in ("merges", "names"):
        for path in sorted((Path(folder) / part).glob("*.tsv")):
            if path.stem not in models:
                names_of_models = ", ".join(models)
                log.warning(
                    "%s: there is no such model, so it is not used; models: %s", path, names_of_models
                )


def _linkage(path: Path) -> "npt.NDArray[np.float64] | None":
    """Return the merge tree of a model that is fitted already and has one."""
    if not path.is_file():
        return None
    try:
        linkage = MergeTree.load(path).linkage
    except BadInput:  # a fit that was stopped; it is made again
        return None
    return linkage if len(linkage) else None
