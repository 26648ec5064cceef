"""A session folder: one depth file of any format, with its timestamps and ``metadata.json``.

The file is ``depth.*``, or the only one that is left when video of other cameras is passed over. Words
of a name tell such video (``ir.avi``, ``m1_rgb.mkv``), and so does what a file holds.
"""

import re
from pathlib import Path
from types import ModuleType

from ... import registry
from ...errors import BadInput
from ..settings import SourceSettings
from ..video import Video

__all__ = [
    "HOLDS_A_SESSION",
    "SUFFIXES",
    "accepts",
    "files",
    "is_of_another_camera",
    "is_raw",
    "open_video",
    "require",
]

SUFFIXES = ()
# A session is not looked for in another one.
HOLDS_A_SESSION = True
READERS = "syllabary.depth.readers"
# Words in the names of video of other cameras.
OTHERS = re.compile("ir|infrared|rgb|colou?r|thermal|webcam")
DEPTH = "depth"


def accepts(path: Path) -> bool:
    """Return whether ``path`` is a folder."""
    return path.is_dir()


def require(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` unless there is one depth file that its own reader finds in order."""
    reader, depth = _depth(path)
    reader.require(depth, settings)


def files(path: Path) -> list[Path]:
    """Return the depth file and its companions."""
    reader, depth = _depth(path)
    return list(reader.files(depth))


def open_video(path: Path, settings: SourceSettings, *, scratch: Path | None = None) -> Video:
    """Open the depth file of a session."""
    reader, depth = _depth(path)
    recording: Video = reader.open_video(depth, settings, scratch=scratch)
    return recording


def _depth(folder: Path) -> tuple[ModuleType, Path]:
    """Return the depth file of a folder and its reader.

    Raises
    ------
    BadInput
        There is none, or more than one could be it.
    """
    videos = [
        (reader, path)
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and (reader := _reader(path)) is not None
    ]
    # A session that has the depth in two formats has the same frames in both.
    for reader in _readers():
        for accepting, path in videos:
            if accepting is reader and path.stem.lower() == DEPTH:
                return reader, path
    others = [path for _, path in videos if is_of_another_camera(path)]
    candidates = [(reader, path) for reader, path in videos if path not in others]
    for is_depth in (_holds_depth, lambda _, path: DEPTH in _words(path)):
        if len(candidates) > 1:
            left = [(reader, path) for reader, path in candidates if is_depth(reader, path)]
            candidates = left or candidates
    if len(candidates) == 1:
        return candidates[0]
    names = _names([path for _, path in candidates])
    passed = f"; of other cameras by their names: {_names(others)}" if others else ""
    raise BadInput(
        f"{folder}: holds no depth.dat, depth.avi or depth.mkv, nor one file alone of these kinds "
        f"(found {names}{passed}); is the path in recordings.tsv the session's own folder? Else "
        "name the file there."
    )


def is_raw(path: Path) -> bool:
    """Return whether a file is named like one that cameras write: of no general format."""
    readers = (reader for reader in _readers() if not getattr(reader, "IS_GENERAL", False))
    return any(hasattr(reader, "open_video") and reader.accepts(path) for reader in readers)


def is_of_another_camera(path: Path) -> bool:
    """Return whether the words of a file's name are of infrared or color video."""
    # Depth aligned to color has both words.
    return DEPTH not in _words(path) and any(map(OTHERS.fullmatch, _words(path)))


def _words(path: Path) -> set[str]:
    """Return the words of a file's name in lower case, which digits, signs and capitals part."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", path.stem)
    return {word.lower() for word in (*parts, *re.findall(r"[A-Za-z]+", path.stem))}


def _readers() -> list[ModuleType]:
    """Return the readers of one file: of raw files first, of a general format last."""
    modules = [registry.find(READERS, name) for name in registry.names(READERS)]
    single = [module for module in modules if not getattr(module, "HOLDS_A_SESSION", False)]
    return sorted(
        single,
        key=lambda module: (getattr(module, "IS_GENERAL", False), not getattr(module, "IS_RAW", False)),
    )


def _reader(path: Path) -> ModuleType | None:
    """Return the reader of a file of raw depth; None for any other file."""
    for reader in _readers():
        if reader.accepts(path):
            return reader if hasattr(reader, "open_video") else None
    return None


def _holds_depth(reader: ModuleType, path: Path) -> bool:
    """Return whether the content of a file can be depth, where its reader can tell without settings."""
    return bool(getattr(reader, "holds_depth", lambda _: True)(path))


def _names(paths: list[Path]) -> str:
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(path.name for path in paths[:5]) + more if paths else "none"
