"""``metadata.json``, in which an acquisition program describes its recording."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from ...errors import BadInput
from ..settings import SourceSettings
from ..timing import clocks
from ..video import Intrinsics, require_shape

__all__ = ["beside", "describe", "dtype", "intrinsics", "rate", "read", "shape", "started"]

KINECT_V2_SHAPE = (424, 512)
MAX_BYTES = 16 << 20
# As acquisition programs name what they write.
TYPES = {
    "Byte[]": "uint8", "UInt16[]": "uint16", "Int16[]": "int16", "UInt32[]": "uint32",
    "Int32[]": "int32", "Single[]": "float32", "Double[]": "float64",
}  # fmt: skip
INTRINSICS = "DepthIntrinsics"
# Frame rates, in lower case and without what parts words.
RATES = ("depthframerate", "depthfps", "framerate", "framespersecond", "camerafps", "fps")


def beside(recording: Path) -> Path:
    """Return where the metadata of a file would be: ``metadata.json``, or by the file's own name."""
    named_alike = recording.with_name(f"{recording.stem}.json")
    return named_alike if named_alike.is_file() else recording.with_name("metadata.json")


def read(recording: Path) -> Mapping[str, object]:
    """Read the metadata beside a recording; empty if there are none.

    Raises
    ------
    BadInput
        The file is no JSON object.
    """
    path = beside(recording)
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes long")
        metadata = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        fault = " ".join(str(error).split())
        raise BadInput(f"{path}: not valid JSON ({fault}); repair or remove the file.") from None
    if not isinstance(metadata, dict):
        raise BadInput(
            f"{path}: holds a {type(metadata).__name__}; wanted a JSON object of named values."
        )
    return metadata


def shape(metadata: Mapping[str, object], settings: SourceSettings, path: Path) -> tuple[int, int]:
    """Return rows and columns: of the settings, else of the metadata, else a Kinect v2's."""
    if settings.rows is not None and settings.columns is not None:
        return settings.rows, settings.columns
    resolution = metadata.get("DepthResolution")
    if resolution is None:
        return KINECT_V2_SHAPE
    try:
        columns, rows = (int(value) for value in cast("list[float]", resolution))
    except (TypeError, ValueError, OverflowError):
        columns = rows = 0
    if columns < 1 or rows < 1:
        raise BadInput(
            f"{path}: DepthResolution is {_short(resolution)}; wanted [columns, rows], such as "
            "[512, 424]."
        )
    require_shape((rows, columns), path)
    return rows, columns


def dtype(metadata: Mapping[str, object], settings: SourceSettings, path: Path) -> np.dtype[np.generic]:
    """Return the type of a pixel: of the settings, else of the metadata, else little-endian uint16."""
    name = settings.dtype
    if name is None:
        type_name = metadata.get("DepthDataType", "UInt16[]")
        if not isinstance(type_name, str) or type_name not in TYPES:
            raise BadInput(
                f"{path}: DepthDataType is {_short(type_name)}; known: {', '.join(TYPES)}: set "
                "extract.source.dtype to what depth.dat holds."
            )
        name = TYPES[type_name]  # type: ignore[assignment]
    order = settings.byte_order
    if order is None:
        order = "little" if metadata.get("IsLittleEndian", True) in (True, "True", "true") else "big"
    return np.dtype(name).newbyteorder("<" if order == "little" else ">")


def intrinsics(metadata: Mapping[str, object], path: Path) -> Intrinsics | None:
    """Return the calibration that ``describe`` wrote, if there is one."""
    values = metadata.get(INTRINSICS)
    if values is None:
        return None
    try:
        if not isinstance(values, dict):
            raise TypeError
        distortion = tuple(float(value) for value in values.get("distortion", (0.0,) * 8))
        fx, fy, cx, cy = (float(values[name]) for name in Intrinsics._fields[:4])
        calibration = Intrinsics(fx, fy, cx, cy, distortion)
        whole = all(map(math.isfinite, (*calibration[:4], *distortion)))
        if len(distortion) != 8 or not whole or calibration.fx_px <= 0 or calibration.fy_px <= 0:
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError):
        raise BadInput(
            f"{path}: {INTRINSICS} is {_short(values)}; wanted numbers "
            f"{', '.join(Intrinsics._fields[:4])} and 8 of distortion: correct it, or remove it and use "
            "extract.camera."
        ) from None
    return calibration


def rate(metadata: Mapping[str, object]) -> float | None:
    """Return the camera's nominal rate, frames/s, also of ``K4A_FRAMES_PER_SECOND_30``; or None."""
    named = {re.sub(r"[^a-z0-9]", "", str(name).lower()): value for name, value in metadata.items()}
    for name in RATES:
        number = re.fullmatch(
            r"(?:[A-Za-z0-9_]*_)?(\d{1,3}(?:\.\d+)?)", str(named.get(name, "")).strip()
        )
        if number is not None and clocks.is_plausible(1 / max(float(number[1]), 1e-3)):
            return float(number[1])
    return None


def started(metadata: Mapping[str, object], start_time: str) -> Mapping[str, object]:
    """Return the metadata with a start time that is known from elsewhere, if they have none."""
    if start_time and not metadata.get("StartTime"):
        return {**metadata, "StartTime": start_time}
    return metadata


def describe(
    metadata: Mapping[str, object], shape: tuple[int, int], lens: Intrinsics | None
) -> dict[str, object]:
    """Return the metadata of the same recording as little-endian uint16 mm."""
    rows, columns = shape
    calibration = {} if lens is None else {INTRINSICS: lens._asdict()}
    form = {"DepthResolution": [columns, rows], "DepthDataType": "UInt16[]", "IsLittleEndian": True}
    return {**metadata, **form, **calibration}


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
