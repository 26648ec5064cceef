"""An Azure Kinect recording written byte by byte, from the Matroska specification (RFC 9559).

Tracks are raw pictures of FourCC ``b16g`` (big-endian 16-bit gray) under ``V_MS/VFW/FOURCC``, as
k4arecorder writes them; nothing here is shared with the package or with FFmpeg.
"""

import struct
from pathlib import Path

import numpy as np


def element(name: str, *content: bytes) -> bytes:
    """An EBML element: identifier, eight-byte length, content."""
    body = b"".join(content)
    return bytes.fromhex(name) + struct.pack(">Q", len(body) | 1 << 56) + body


def number(name: str, value: int) -> bytes:
    return element(name, struct.pack(">Q", value))


def text(name: str, value: str) -> bytes:
    return element(name, value.encode())


def track(index: int, title: str, rows: int, columns: int, fourcc: bytes) -> bytes:
    # BITMAPINFOHEADER, which names the format of the pictures.
    picture = struct.pack(
        "<IiiHH4sIiiII", 40, columns, rows, 1, 16, fourcc, 2 * rows * columns, 0, 0, 0, 0
    )
    size = number("B0", columns) + number("BA", rows)
    return element(
        "AE",
        number("D7", index),
        number("73C5", index),
        number("83", 1),  # video
        number("9C", 0),  # no lacing
        text("536E", title),
        text("86", "V_MS/VFW/FOURCC"),
        element("63A2", picture),
        element("E0", size),
    )


def attachment(name: str, content: bytes) -> bytes:
    about = text("466E", name) + text("4660", "application/octet-stream") + number("46AE", 7)
    return element("1941A469", element("61A7", about, element("465C", content)))


def write(
    path: Path,
    tracks: dict[str, np.ndarray],
    times_us: np.ndarray,
    *,
    calibration: bytes | None = None,
    fourcc: bytes = b"b16g",
) -> Path:
    """Write tracks of (F, rows, columns) uint16 by title, a cluster per frame, time unit 1 µs."""
    header = element(
        "1A45DFA3", number("4286", 1), number("42F7", 1), number("42F2", 4), number("42F3", 8),
        text("4282", "matroska"), number("4287", 4), number("4285", 2),
    )  # fmt: skip
    about = element("1549A966", number("2AD7B1", 1000), text("4D80", "test"), text("5741", "test"))
    entries = [
        track(i, title, *frames.shape[1:], fourcc) for i, (title, frames) in enumerate(tracks.items(), 1)
    ]
    clusters = [
        element(
            "1F43B675",
            number("E7", int(time)),
            *(
                element("A3", struct.pack(">BhB", 0x80 | i, 0, 0x80), frames[f].astype(">u2").tobytes())
                for i, frames in enumerate(tracks.values(), 1)
            ),
        )
        for f, time in enumerate(times_us)
    ]
    extra = [attachment("calibration.json", calibration)] if calibration else []
    body = [about, element("1654AE6B", *entries), *extra, *clusters]
    path.write_bytes(header + element("18538067", *body))
    return path
