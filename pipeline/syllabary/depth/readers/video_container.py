"""16-bit depth video in a container, decoded bit for bit by PyAV.

A container's header is not trusted: packets are counted once, without decoding them. A separate thread
decodes frames one block ahead of a caller that reads in turn. Other places are reached from the
nearest earlier frame that can be decoded alone.
"""

import contextlib
import itertools
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..settings import SourceSettings
from ..video import Intrinsics, Video, require_shape
from . import metadata_file, timestamps_file

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = [
    "Container",
    "companions",
    "depth_stream",
    "holds_depth",
    "opened",
    "rate",
    "survey",
    "write",
]

DEPTH = "DEPTH"
GRAY = ("gray16le", "gray16be")
# A slice of FFV1 ends with its size (3 bytes), a status and a checksum (4 bytes).
FOOTER = 8
BACKWARD = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
UNDAMAGED = 0xFFFFFFFF
# Packets in which checksums are looked for, as the first one can be damaged.
PROBED = 8


class Survey(NamedTuple):
    """Packets of a depth track in their order: time stamps, those decodable alone, checksums."""

    stamps: list[int]
    keys: npt.NDArray[np.int64]
    times_s: npt.NDArray[np.float64]
    checksums: bool


@contextlib.contextmanager
def opened(path: Path, form: str) -> "Iterator[InputContainer]":
    """Open a container; an error of PyAV becomes ``BadInput``."""
    import av

    try:
        with av.open(str(path), format=form, metadata_errors="replace") as container:
            yield container
    except (av.error.FFmpegError, MemoryError) as error:
        raise _damaged(path, error) from None


def holds_depth(path: Path, form: str) -> bool:
    """Return whether a video has a track of depth, so far as its header tells; damaged ones may."""
    try:
        with opened(path, form) as container:
            return any(_format(track) in GRAY for track in container.streams.video)
    except BadInput:
        return True


def depth_stream(container: "InputContainer", path: Path) -> "VideoStream":
    """Return the track with the title DEPTH, else the only one of 16-bit gray.

    Raises
    ------
    BadInput
        There is none, or more than one.
    """
    tracks = list(container.streams.video)
    titled = [track for track in tracks if track.metadata.get("title", "").strip().upper() == DEPTH]
    depth_tracks = titled or [track for track in tracks if _format(track) in GRAY]
    if len(depth_tracks) != 1 or _format(depth_tracks[0]) not in GRAY:
        formats = ", ".join(f"{t.metadata.get('title', '(untitled)')} {_format(t)}" for t in tracks)
        raise BadInput(
            f"{path}: no single track of depth, 16-bit gray (found {formats or 'no video'}); a camera's "
            "depth has the title DEPTH or is alone, and 8-bit video has lost it: name the original."
        )
    track = depth_tracks[0]
    require_shape((track.codec_context.height, track.codec_context.width), path)
    track.codec_context.thread_count = 1
    return track


def _format(track: "VideoStream") -> str:
    # A track of unknown coding has no context, or no format.
    return str(getattr(track.codec_context, "pix_fmt", None) or "of unknown coding")


def rate(track: "VideoStream") -> float | None:
    """Return the frame rate that the header states, 1/s; None without one."""
    return float(track.average_rate) if track.average_rate else None


def survey(container: "InputContainer", track: "VideoStream", path: Path, strict: bool) -> Survey:
    """Count the packets of a track and note their times, decoding none.

    Raises
    ------
    BadInput
        Packets are out of order, or (``strict``) damaged or fewer than the header promises.
    """
    import av

    stamps: list[int] = []
    keys: list[int] = []
    checked: list[bool] = []
    try:
        for packet in container.demux(track):
            stamp = _stamp(packet)
            if not packet.size or stamp is None:
                continue
            if stamps and stamp <= stamps[-1]:
                raise BadInput(
                    f"{path}: frame {len(stamps)} is not later than the one before it; copy it again."
                )
            if packet.is_keyframe or not stamps:
                keys.append(len(stamps))
            if len(checked) < PROBED and track.codec_context.name == "ffv1":
                checked.append(_slices_are_whole(bytes(packet)))
            stamps.append(stamp)
    except av.error.FFmpegError as error:
        if strict:
            raise _damaged(path, error) from None
    if strict and track.frames > len(stamps):
        raise BadInput(
            f"{path}: holds {len(stamps)} frames where its header promises {track.frames}; copy it "
            "again, or set extract.source.timestamps to 'cut' to take what there is."
        )
    times_s = np.array(stamps, np.float64) * float(track.time_base or 1)
    return Survey(stamps, np.array(keys, np.int64), times_s, any(checked))


def companions(path: Path) -> list[Path]:
    """Return a video and those of its companions that are there."""
    clock = timestamps_file.beside(path)
    beside = [metadata_file.beside(path), *([clock[0]] if clock else [])]
    return [path, *(companion for companion in beside if companion.is_file())]


class Container(Video):
    """Frames of the depth track of a container.

    Parameters
    ----------
    path : path
    form : str
        Name of the container's format; the file's content does not choose it.
    settings : SourceSettings
    has_times : bool
        Whether the container's time stamps are when frames were taken.
    intrinsics : Intrinsics, optional
        The camera's calibration, if the container holds one.
    """

    def __init__(
        self,
        path: Path,
        form: str,
        settings: SourceSettings,
        *,
        has_times: bool,
        intrinsics: Intrinsics | None = None,
    ) -> None:
        metadata = dict(metadata_file.read(path))
        lens = intrinsics or metadata_file.intrinsics(metadata, metadata_file.beside(path))
        self._form = form
        strict = settings.timestamps == "strict"
        with opened(path, form) as container:
            track = depth_stream(container, path)
            packets = survey(container, track, path, strict)
            if "creation_time" in container.metadata:
                metadata.setdefault("StartTime", container.metadata["creation_time"])
            shape = (track.codec_context.height, track.codec_context.width)
            stated = rate(track)
        clock = timestamps_file.match(
            path, len(packets.stamps), settings,
            inside=packets.times_s if has_times else None, rate=None if has_times else stated,
        )  # fmt: skip
        about = metadata_file.started(metadata, clock.start_time)
        super().__init__(path, shape, clock.times_s, about, intrinsics=lens)
        self._survey = packets
        self._place = {stamp: frame for frame, stamp in enumerate(packets.stamps)}
        self._opened: tuple[InputContainer, VideoStream] | None = None
        self._frames: Iterator[tuple[int, npt.NDArray[np.generic]]] = iter(())
        self._next = 0
        self._read_to = 0
        self._ahead: tuple[int, int, Future[npt.NDArray[np.uint16]]] | None = None
        # The one thread that touches the container.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self.when_closed(self._stop)

    def sample_frames(self, count: int) -> list[int]:
        """Return frames that can be decoded alone; the first ones where hardly any can."""
        keys = self._survey.keys[self._survey.keys < len(self)]
        if len(keys) < count:
            return list(range(min(count, len(self))))
        return keys[np.linspace(0, len(keys) - 1, count).astype(int)].tolist()

    def _read(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[:2] == (start, stop):
            block = ahead[2].result()
        else:
            block = self._thread.submit(self._decode, start, stop).result()
        in_turn, self._read_to = start == self._read_to, stop
        after = min(2 * stop - start, len(self))
        if in_turn and after > stop:
            self._ahead = (stop, after, self._thread.submit(self._decode, stop, after))
        return block

    def _decode(self, start: int, stop: int) -> npt.NDArray[np.uint16]:
        """Decode frames [start, stop); in the decoding thread alone."""
        import av

        block = np.empty((stop - start, *self.shape), np.uint16)
        try:
            key = int(self._survey.keys[np.searchsorted(self._survey.keys, start, "right") - 1])
            if self._opened is None or not key <= self._next <= start:
                self._seek(key)
            while self._next < stop:
                frame, image = next(self._frames, (-1, block[0]))
                if frame != self._next or image.shape != self.shape:
                    raise BadInput(_cannot(self.path, self._next))
                if frame >= start:
                    block[frame - start] = image
                self._next += 1
        except (av.error.FFmpegError, MemoryError, BadInput) as error:
            self._release()
            raise BadInput(_cannot(self.path, self._next)) from error
        return block

    def _seek(self, key: int) -> None:
        """Stand before frame ``key``, which can be decoded alone."""
        import av

        if self._opened is not None and key:
            container, track = self._opened
            with contextlib.suppress(av.error.FFmpegError):
                container.seek(self._survey.stamps[key], stream=track, backward=True)
                packets = self._packets(container, track)
                first = next(packets, None)
                if first is not None and first[0] <= key:
                    self._frames, self._next = self._images(itertools.chain([first], packets), key), key
                    return
        # From the start: nothing is open, or the container has no index to seek by.
        self._release()
        container = av.open(str(self.path), format=self._form, metadata_errors="replace")
        self._opened = container, depth_stream(container, self.path)
        self._frames, self._next = self._images(self._packets(*self._opened), key), key

    def _packets(
        self, container: "InputContainer", track: "VideoStream"
    ) -> "Iterator[tuple[int, Packet[VideoStream]]]":
        """Yield number and packet of every frame from the present place on."""
        for packet in container.demux(track):
            if packet.size:
                stamp = _stamp(packet)
                yield -1 if stamp is None else self._place.get(stamp, -1), packet

    def _images(
        self, packets: "Iterable[tuple[int, Packet[VideoStream]]]", first: int
    ) -> Iterator[tuple[int, npt.NDArray[np.generic]]]:
        """Decode packets from frame ``first`` on; each gives one image."""
        for frame, packet in packets:
            if frame < first:
                continue
            if self._survey.checksums and not _slices_are_whole(bytes(packet)):
                raise BadInput(_cannot(self.path, frame))
            for image in packet.decode():
                if image.format.name not in GRAY:
                    raise BadInput(_cannot(self.path, frame))
                yield frame, image.to_ndarray()

    def _release(self) -> None:
        if self._opened is not None:
            self._opened[0].close()
            self._opened = None

    def _stop(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._release()


def write(
    path: Path,
    form: str,
    blocks: Iterable[npt.NDArray[np.uint16]],
    shape: tuple[int, int],
    times_s: npt.NDArray[np.float64],
) -> None:
    """Write blocks of frames (n, rows, columns) as FFV1 of 16-bit gray, with checksums.

    Every frame can be decoded alone. The container's time stamps are the frames' times in ms from
    the first where its format has such; exact ones belong into a file beside it.
    """
    from fractions import Fraction

    import av

    dt = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1 / 30
    stamps = np.rint((times_s - times_s[:1]) * 1000).astype(np.int64)
    paced = form != "avi" and bool((np.diff(stamps) > 0).all())
    rate = Fraction(1 / dt).limit_denominator(1000)
    with av.open(str(path), "w", format=form) as container:
        track = container.add_stream("ffv1", rate=max(rate, Fraction(1, 1000)))
        track.height, track.width = shape
        track.pix_fmt = "gray16le"
        track.options = {"level": "3", "g": "1", "slices": "4", "slicecrc": "1", "threads": "1"}
        time_base = Fraction(1, 1000) if paced else 1 / rate
        track.codec_context.time_base = time_base
        track.metadata["title"] = DEPTH
        number = 0
        for block in blocks:
            for frame in block:
                image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="gray16le")
                image.pts = int(stamps[number]) if paced else number
                image.time_base = time_base
                container.mux(track.encode(image))
                number += 1
        container.mux(track.encode(None))


def _stamp(packet: "Packet[VideoStream]") -> int | None:
    return packet.dts if packet.pts is None else packet.pts


def _slices_are_whole(packet: bytes) -> bool:
    """Check the slices of an FFV1 frame by their own checksums (RFC 9043, 4.9).

    FFmpeg's decoder conceals a damaged slice with the frame before, without an error. The checksum is
    CRC-32 with the bits of each byte in the order opposite to zlib's.
    """
    end = len(packet)
    while end:
        size = int.from_bytes(packet[max(0, end - FOOTER) : end - FOOTER + 3], "big") + FOOTER
        if end < FOOTER or size > end:
            return False
        if zlib.crc32(packet[end - size : end].translate(BACKWARD), UNDAMAGED) != UNDAMAGED:
            return False
        end -= size
    return True


def _damaged(path: Path, error: BaseException) -> BadInput:
    fault = getattr(error, "strerror", None) or "out of memory"
    return BadInput(f"{path}: not a whole video ({fault}); copy it again.")


def _cannot(path: Path, frame: int) -> str:
    return (
        f"{path}: frame {frame} cannot be decoded; the file is damaged there: copy the recording again."
    )
