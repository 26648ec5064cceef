"""A session folder: ``depth.dat``, or depth video, with its timestamps and ``metadata.json``."""

from pathlib import Path
from types import ModuleType

from ...errors import BadInput
from ..settings import SourceSettings
from ..video import Video
from . import avi, dat, mkv

__all__ = ["SUFFIXES", "accepts", "files", "open_video", "require"]

SUFFIXES = ()
# In a session, the first of these that is there holds the depth.
FORMATS: tuple[ModuleType, ...] = (dat, avi, mkv)
# Video of other cameras begins so.
OTHERS = ("ir", "rgb", "color")


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
    """Return the depth file: ``depth.dat``, ``.avi`` or ``.mkv``, else the only one of these kinds."""
    candidates = []
    for reader in FORMATS:
        for path in sorted(folder.iterdir()):
            if reader.accepts(path) and path.stem.lower() == "depth":
                return reader, path
            if reader.accepts(path) and not path.name.lower().startswith((*OTHERS, ".")):
                candidates.append((reader, path))
    if len(candidates) == 1:
        return candidates[0]
    names = ", ".join(path.name for _, path in candidates[:5]) if candidates else "none"
    raise BadInput(
        f"{folder}: holds no depth.dat, depth.avi or depth.mkv, nor one file alone of these kinds "
        f"(found {names}); is the path in recordings.tsv the session's own folder? Else name the file "
        "there."
    )
