"""H.264 movies that play in a browser."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .records import files

__all__ = ["write"]


def write(path: Path | str, frames: Iterable[npt.NDArray[np.uint8]], fps: float) -> None:
    """Write an MP4 (H.264, yuv420p, fast start), whole or not at all.

    Parameters
    ----------
    path : path
    frames : iterable of (H, W) or (H, W, 3) uint8
        Gray or RGB images of one size; of an odd side the last row or column is cut off.
    fps : float
        Frames per second.

    Raises
    ------
    ValueError
        There are no frames.
    """
    import av

    with (
        files.create(path) as temporary,
        av.open(str(temporary), "w", options={"movflags": "+faststart"}) as container,
    ):
        stream = None
        for frame in frames:
            height, width = (side - side % 2 for side in frame.shape[:2])
            if stream is None:
                stream = container.add_stream("libx264", rate=max(1, round(fps)))
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                # One thread and no macroblock tree, so that equal frames give equal bytes. The
                # tree reads uninitialized memory (4 % of small movies differed).
                stream.options = {
                    "crf": "23", "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0",
                }  # fmt: skip
            layout = "gray" if frame.ndim == 2 else "rgb24"
            image = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(frame[:height, :width]), format=layout
            )
            for packet in stream.encode(image):
                container.mux(packet)
        if stream is None:
            raise ValueError(f"{path}: a movie needs at least one frame")
        for packet in stream.encode():
            container.mux(packet)
