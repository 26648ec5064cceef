"""Convert a raw recording to another format; the copy is read back before it is named.

Its counts are kept as they are, and its metadata say what they mean. Counts that uint16 cannot hold
become whole millimeters, which merges levels of depth, only if that is allowed.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import registry
from ..errors import BadInput
from ..progress import track as progress
from ..records.files import WAYS_OUT
from . import sources
from .counts import Counts, describe
from .readers import metadata_file
from .settings import SourceSettings
from .video import Video

__all__ = ["Converted", "convert"]

BLOCK_FRAMES = 64
DEFAULTS = SourceSettings()
PLAIN = Counts()
# Different counts of floating point that are kept in memory to be counted.
MAX_LEVELS = 1 << 20
Writer = Callable[
    [Path, Iterator[npt.NDArray[np.uint16]], tuple[int, int], npt.NDArray[np.float64]], None
]


class Converted(NamedTuple):
    """A copy that was read back.

    Attributes
    ----------
    digest : str
        Of its frames, as it holds them.
    counts : Counts
        What its counts mean.
    is_exact : bool
        Every count is as it was.
    levels : (int, int)
        If not: different counts in the source, and in the copy, of the frames up to ``MAX_LEVELS``.
    """

    digest: str
    counts: Counts
    is_exact: bool
    levels: tuple[int, int]


class Levels:
    """Different counts of a recording before and after they are written.

    Parameters
    ----------
    video : Video
    lossy : bool
        Counts are written as whole mm, not as they are.
    """

    def __init__(self, video: Video, lossy: bool) -> None:
        self.video, self.lossy, self.is_exact = video, lossy, True
        self._before: set[float] = set()
        self._after: set[int] = set()

    def written(self, start: int, stop: int) -> npt.NDArray[np.uint16]:
        """Return frames [start, stop) as they are written, (n, rows, columns).

        Raises
        ------
        BadInput
            They cannot be written exactly.
        """
        raw = self.video.raw(start, stop)
        if self.lossy:
            block = self.video.read(start, stop)
            self.is_exact = self.is_exact and np.array_equal(block, raw)
            if len(self._before) < MAX_LEVELS:
                self._before.update(np.unique(raw).tolist())
                self._after.update(np.unique(block).tolist())
            return block
        with np.errstate(invalid="ignore"):
            kept = raw.astype(np.uint16)
            differing = raw.dtype != kept.dtype and not np.array_equal(kept, raw)
        if differing:
            mm = self.video.read(start, stop)
            raise BadInput(
                f"{self.video.path}: its {raw.dtype.name} counts do not fit into the copy's uint16, "
                f"in which the {len(np.unique(raw))} levels of frames {start} to {start + len(raw) - 1} "
                f"would become {len(np.unique(mm))} levels of whole mm; to accept that, give --lossy."
            )
        return kept

    @property
    def count(self) -> tuple[int, int]:
        """Different counts so far, before and after; equal where they are written as they are."""
        return len(self._before), len(self._after)


def convert(
    source: Path,
    target: Path,
    settings: SourceSettings,
    *,
    overwrite: bool = False,
    lossy: bool = False,
    scratch: Path | str | None = None,
) -> Converted:
    """Write the frames of a recording, as uint16 counts, to another file.

    Beside the target go its timestamps, as exact seconds, and its metadata: ``timestamps.csv`` and
    ``metadata.json`` beside ``depth.*``, ``<name>_timestamps.csv`` and ``<name>.json`` beside others.

    Parameters
    ----------
    source : path
        What a reader opens.
    target : path
        File to write, in a folder other than the source's; its suffix names the format.
    settings : SourceSettings
        How to read the source.
    overwrite : bool
        Replace files that are there.
    lossy : bool
        Write whole mm, 0 = not measured, whatever the counts of the source are.
    scratch : path, optional
        Folder to unpack a packed source into.

    Returns
    -------
    Converted
        Digest of the frames, the same in source and target, and what was lost.

    Raises
    ------
    BadInput
        The source is damaged, the target exists, cannot be written in this format, or does not read
        back as it was; or the source's counts do not fit, and ``lossy`` is not set.
    """
    write_video = _writer(target)
    stem = "" if target.stem.lower() == "depth" else target.stem
    names = (
        f"{stem}_timestamps.csv" if stem else "timestamps.csv",
        f"{stem}.json" if stem else "metadata.json",
        target.name,
    )
    _require_free(source, target, names, overwrite)
    with sources.open_recording(source, settings, scratch=scratch) as video:
        levels = Levels(video, lossy=lossy)
        counts = PLAIN if lossy else video.counts._replace(is_swapped=False)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix=f".{target.stem}.", suffix=".part", dir=target.parent
            ) as folder:
                clock, about, depth = (Path(folder) / name for name in names)
                digest = hashlib.blake2b(digest_size=16)
                blocks = _digested(levels, digest, f"convert {source.name}")
                write_video(depth, blocks, video.shape, video.timestamps_s)
                clock.write_text("".join(f"{time!r}\n" for time in video.timestamps_s.tolist()))
                metadata = metadata_file.describe(video.metadata, video.shape, video.intrinsics)
                about.write_text(
                    json.dumps({**metadata, **describe(counts)}, indent=2) + "\n", encoding="utf-8"
                )
                _require_same(video, depth, digest.hexdigest(), counts, target)
                for part in (clock, about, depth):
                    with part.open("rb") as file:
                        os.fsync(file.fileno())
                    part.replace(target.with_name(part.name))
        except OSError as error:
            fault = error.strerror or str(error)
            way_out = WAYS_OUT.get(
                error.errno or 0, f"cannot be written ({fault}); is the disk in order?"
            )
            raise BadInput(f"{target}: {way_out.rstrip('.')}.") from None
    return Converted(digest.hexdigest(), counts, levels.is_exact, levels.count)


def _writer(target: Path) -> Writer:
    """Return the function that writes the target's format."""
    suffixes = []
    for name in registry.names("syllabary.depth.readers"):
        reader = registry.find("syllabary.depth.readers", name)
        if hasattr(reader, "write_video"):
            if reader.accepts(target):
                write: Writer = reader.write_video
                return write
            suffixes += reader.SUFFIXES
    raise BadInput(f"{target}: cannot be written; name a file that ends in {', '.join(suffixes)}.")


def _require_free(source: Path, target: Path, names: tuple[str, ...], overwrite: bool) -> None:
    """Raise ``BadInput`` where something would be written beside the source, or over something."""
    raw = source if source.is_dir() else source.parent
    if target.parent.resolve().is_relative_to(raw.resolve()) and (
        source.is_dir() or target.parent.resolve() == raw.resolve()
    ):
        raise BadInput(
            f"{target}: lies in the folder of the raw recording, which is never written to; name a "
            "target in another folder."
        )
    there = [name for name in names if target.with_name(name).exists()]
    if there and not overwrite:
        raise BadInput(
            f"{target.parent}: has {', '.join(there)} already; name another target, or give --overwrite."
        )


def _digested(levels: Levels, digest: hashlib.blake2b, what: str) -> Iterator[npt.NDArray[np.uint16]]:
    """Yield the frames in blocks, as they are written, and update the digest with them."""
    count = len(levels.video)
    starts = range(0, count, BLOCK_FRAMES)
    for start in progress(starts, what, total=count, unit="frames", step=BLOCK_FRAMES):
        block = levels.written(start, min(start + BLOCK_FRAMES, count))
        digest.update(np.ascontiguousarray(block, "<u2").data)
        yield block


def _require_same(video: Video, written: Path, digest: str, counts: Counts, target: Path) -> None:
    """Read the copy back and compare it with what was written of the source."""
    copied = hashlib.blake2b(digest_size=16)
    with sources.open_recording(written, DEFAULTS) as copy:
        for _ in _digested(Levels(copy, lossy=False), copied, f"check {target.name}"):
            pass
        whole = np.array_equal(copy.timestamps_s, video.timestamps_s) and copy.counts == counts
        if copied.hexdigest() != digest or not whole or copy.intrinsics != video.intrinsics:
            raise BadInput(
                f"{target}: does not read back as it was written; is the disk in order? Nothing kept."
            )
