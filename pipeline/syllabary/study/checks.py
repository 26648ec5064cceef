"""Checks of a study before any work starts: each mistake becomes one sentence."""

import difflib
from pathlib import Path

import pandas as pd

from ..errors import BadInput, BadSetting
from ..records import annotations
from .config import Config, candidates, extract_settings, fits
from .recordings import SIMULATED

__all__ = [
    "check_choices",
    "require_design",
    "require_held_out",
    "require_labels",
    "require_merges",
    "require_overrides",
    "require_sources",
]


def check_choices(config: Config) -> None:
    """Check the settings that live behind a name: priors, export formats, figures, colors.

    Kept apart from ``read_config`` because it imports the mathematics.
    """
    from ..export.settings import require_formats
    from ..figures.study import require_choices as require_figures
    from ..svae.choices import require_choices

    for name, model in config.models.items():
        require_choices(model, f"models.{name}")
    for variant, settings in {c.variant: c.settings for c in candidates(config).values()}.items():
        require_choices(settings, f"select.settings.{variant}")
    require_formats(config.export)
    require_figures(config.draw)


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


def require_labels(path: Path | str, recordings: pd.DataFrame) -> None:
    """Read what people labeled, if there is such a file: every label must be of a recording listed.

    Raises
    ------
    BadInput
        The first thing that is wrong, with its line.
    """
    if Path(path).is_file():
        annotations.bouts(path, recordings.index)


def require_merges(config: Config, folder: Path | str = "config/merges") -> None:
    """Read the tables of states that people merged, ``<folder>/<model>.tsv``, if there are any.

    Whether the model has these states is known once it is fitted, and checked by ``label``.

    Raises
    ------
    BadInput
        The first thing that is wrong, with its line.
    """
    from ..syllables import tree

    for name in fits(config):
        path = Path(folder) / f"{name}.tsv"
        if path.is_file():
            tree.read(path)
