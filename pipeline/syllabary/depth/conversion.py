"""Convert a raw recording to another format, bit for bit; the copy is read back before it is named."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import registry
from ..errors import BadInput
from ..progress import track as progress
from ..records.files import WAYS_OUT
from . import sources
from .readers import metadata_file
from .settings import SourceSettings
from .video import Video

__all__ = ["convert"]

BLOCK_FRAMES = 64
DEFAULTS = SourceSettings()
Writer = Callable[
    [Path, Iterator[npt.NDArray[np.uint16]], tuple[int, int], npt.NDArray[np.float64]], None
]


def convert(
    source: Path,
    target: Path,
    settings: SourceSettings,
    *,
    overwrite: bool = False,
    scratch: Path | str | None = None,
) -> str:
    """Write the frames of a recording, as uint16 mm, to another file.

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
    scratch : path, optional
        Folder to unpack a packed source into.

    Returns
    -------
    str
        Digest of the frames, the same in source and target.

    Raises
    ------
    BadInput
        The source is damaged, the target exists, cannot be written in this format, or does not read
        back as it was.
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
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix=f".{target.stem}.", suffix=".part", dir=target.parent
            ) as folder:
                clock, about, depth = (Path(folder) / name for name in names)
                digest = hashlib.blake2b(digest_size=16)
                blocks = _digested(video, digest, f"convert {source.name}")
                write_video(depth, blocks, video.shape, video.timestamps_s)
                clock.write_text("".join(f"{time!r}\n" for time in video.timestamps_s.tolist()))
                metadata = metadata_file.describe(video.metadata, video.shape, video.intrinsics)
                about.write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
                _require_same(video, depth, digest.hexdigest(), target)
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
    return digest.hexdigest()


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


def _digested(video: Video, digest: hashlib.blake2b, what: str) -> Iterator[npt.NDArray[np.uint16]]:
    """Yield the frames in blocks and update the digest with them."""
    starts = range(0, len(video), BLOCK_FRAMES)
    for start in progress(starts, what, total=len(video), unit="frames", step=BLOCK_FRAMES):
        block = video.read(start, start + BLOCK_FRAMES)
        digest.update(np.ascontiguousarray(block, "<u2").data)
        yield block


def _require_same(video: Video, written: Path, digest: str, target: Path) -> None:
    """Read the copy back and compare it with the source."""
    copied = hashlib.blake2b(digest_size=16)
    with sources.open_recording(written, DEFAULTS) as copy:
        for _ in _digested(copy, copied, f"check {target.name}"):
            pass
        whole = np.array_equal(copy.timestamps_s, video.timestamps_s)
        if copied.hexdigest() != digest or not whole or copy.intrinsics != video.intrinsics:
            raise BadInput(
                f"{target}: does not read back as it was written; is the disk in order? Nothing kept."
            )
