"""All figures and crowd movies of a study.

<folder>/<figure>.png                       about the study
<folder>/<model>/<figure>.png               about one model
<folder>/recordings/<recording>/<figure>.png
<folder>/<model>/crowd/<syllable>-arena.mp4, -aligned.mp4, -decoded.mp4
<folder>/<model>/crowd/simulated.mp4
"""

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from .. import registry
from ..progress import track
from ..records.clips import Clips
from . import _axes, coloring, crowd, decoded
from .choices import chosen
from .colors import Colors
from .interface import FigureFile
from .results import FigureData, ModelResults, RecordingResults, StudyResults
from .settings import DrawSettings

__all__ = [
    "Drawing",
    "Drawings",
    "FigureData",
    "ModelResults",
    "RecordingResults",
    "StudyResults",
    "draw_all",
    "file_stem",
    "names",
    "shown_recordings",
]

log = logging.getLogger(__name__)
# Place in the report of figures without a rank.
LAST = 1000


@dataclass(frozen=True)
class Drawing:
    """One figure that was written, or the results that it lacked.

    Attributes
    ----------
    name, title, caption, scope : str
        As in the file of the figure.
    rank : int
        Place among the figures of the report; equal ranks are ordered by name.
    model, recording : str
        Names; empty if the figure is not about one.
    paths : tuple of Path
        One per format; empty if results are missing.
    missing : str
        The results that the figure lacked.
    """

    name: str
    title: str
    caption: str
    scope: str
    rank: int
    model: str = ""
    recording: str = ""
    paths: tuple[Path, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class Drawings:
    """Files that ``draw_all`` wrote.

    Attributes
    ----------
    figures : tuple of Drawing
    movies : mapping of model to mapping of syllable to mapping of kind to Path
    simulated : mapping of model to Path
        Movies of sequences sampled from a model.
    colors : Colors
    """

    figures: tuple[Drawing, ...] = ()
    movies: Mapping[str, Mapping[int, Mapping[str, Path]]] = field(default_factory=dict)
    simulated: Mapping[str, Path] = field(default_factory=dict)
    colors: Colors = field(default_factory=Colors)


def names() -> list[str]:
    """Return the names of all figures: the names of their files."""
    return registry.names("syllabary.figures")


def file_stem(name: str) -> str:
    """Return a file name for ``name``: the same if that is safe, else a safe one with a digest."""
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,120}", name):
        return name
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60].strip("_") or "unnamed"
    return f"{safe}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def shown_recordings(study: StudyResults, settings: DrawSettings) -> Sequence[RecordingResults]:
    """Return the recordings with separate figures: all, or evenly spread ones.

    Parameters
    ----------
    study : StudyResults
    settings : DrawSettings
        ``max_recordings`` limits their number.
    """
    count = len(study.recordings)
    if count <= settings.max_recordings:
        return study.recordings
    return [
        study.recordings[i * count // settings.max_recordings] for i in range(settings.max_recordings)
    ]


def draw_all(
    folder: Path | str, study: StudyResults, settings: DrawSettings, *, seed: int = 0
) -> Drawings:
    """Draw every figure and crowd movie of a study.

    Parameters
    ----------
    folder : path
        ``results/figures``.
    study : StudyResults
    settings : DrawSettings
    seed : int
        Chooses the examples of crowd movies.

    Raises
    ------
    BadSetting, UnknownName
        A format, a palette or a figure does not exist.
    """
    folder = Path(folder)
    modules = [cast(FigureFile, registry.find("syllabary.figures", name)) for name in chosen(settings)]
    colors = coloring.shared(study, settings)
    figures: list[Drawing] = []
    with _axes.style():
        inputs = [
            (module, FigureData(study, colors, model, recording))
            for module in modules
            for model, recording in _subjects(module, study, settings)
        ]
        for module, data in track(inputs, "draw figures", unit="figures"):
            figures.append(_draw(folder, module, data, settings))
    movies: dict[str, dict[int, Mapping[str, Path]]] = {}
    simulated: dict[str, Path] = {}
    for model in study.models:
        place = folder / file_stem(model.name) / "crowd"
        clips = Clips.load(model.clips) if model.clips is not None and settings.examples else None
        movies[model.name] = {}
        for syllable in track(model.syllables(settings.max_syllables), f"crowd movies {model.name}"):
            color = colors.of(model.name, syllable)
            paths = crowd.write(place, study, model, syllable, settings, color, seed=seed)
            if clips is not None:
                paths |= decoded.write(place, clips, syllable, color, model.syllable_of_states())
            if paths:
                movies[model.name][syllable] = paths
        if clips is not None:
            path = decoded.simulated(place, clips, model.name, colors, model.syllable_of_states())
            if path is not None:
                simulated[model.name] = path
    return Drawings(tuple(figures), movies, simulated, colors)


def _subjects(
    module: FigureFile, study: StudyResults, settings: DrawSettings
) -> list[tuple[ModelResults | None, RecordingResults | None]]:
    """Return model and recording of each drawing of a figure."""
    if module.SCOPE == "model":
        return [(model, None) for model in study.models]
    if module.SCOPE == "recording":
        return [(None, recording) for recording in shown_recordings(study, settings)]
    return [(None, None)]


def _draw(folder: Path, module: FigureFile, data: FigureData, settings: DrawSettings) -> Drawing:
    name = module.__name__.rpartition(".")[2]
    model = data.model.name if data.model else ""
    recording = data.recording.name if data.recording else ""
    if data.model is not None:
        folder = folder / file_stem(data.model.name)
    elif data.recording is not None:
        folder = folder / "recordings" / file_stem(data.recording.name)
    figure = module.draw(data, settings)
    rank = getattr(module, "RANK", LAST)
    drawing = Drawing(name, module.TITLE, module.CAPTION, module.SCOPE, rank, model, recording)
    if figure is None:
        log.info("no figure %s for %s: needs %s", name, model or recording or "the study", module.NEEDS)
        return replace(drawing, missing=module.NEEDS)
    paths = _axes.save(figure, folder / name, settings.formats, settings.dpi)
    return replace(drawing, paths=tuple(paths))
