"""Frames and their times in one archive of arrays."""

import numpy as np

from ..video import Video
from . import metadata_file, timestamps_file

__all__ = ["SUFFIXES", "accepts", "files", "open_video", "require", "write_video"]

SUFFIXES = (".npz",)


class Arrays(Video):
    """Frames that are whole in memory."""

    def __init__(self, path, settings):
        with np.load(path) as arrays:
            self.frames, times_s = arrays["frames"], arrays["times_s"]
        matched = timestamps_file.match(path, len(self.frames), settings, inside=times_s)
        super().__init__(path, self.frames.shape[1:], matched.times_s, metadata_file.read(path))

    def _read(self, start, stop):
        return self.frames[start:stop]


def accepts(path):
    """Return whether ``path`` is named as an archive of arrays."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def require(path, settings):
    """Raise ``BadInput`` unless frames and times are there and belong together."""
    open_video(path, settings).close()


def files(path):
    """Return the archive."""
    return [path]


def open_video(path, settings, *, scratch=None):
    """Open an archive of arrays."""
    return Arrays(path, settings)


def write_video(path, blocks, shape, times_s):
    """Write blocks of frames (n, rows, columns) and their times."""
    np.savez(path, frames=np.concatenate(list(blocks)), times_s=times_s)
