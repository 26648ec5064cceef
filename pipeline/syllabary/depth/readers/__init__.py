"""Raw depth recordings, one file per format; ``depth.sources`` chooses among them.

A reader offers ``SUFFIXES``, ``accepts(path) -> bool`` (by name and kind alone, reading
nothing), ``require(path)`` (cheap checks without reading a frame; raises ``BadInput``),
``files(path)`` (those that decide the result) and ``open_video(path) -> Video``. A ``Video``
has ``shape`` (rows, columns), ``len()`` (frames), ``read(start, stop) -> (n, rows, columns)
uint16`` mm with 0 = not measured, ``timestamps_s`` (F,) float64, ``start_time`` (ISO 8601 or
empty), ``subject``, ``close()``, and is a context manager. Nothing is ever written beside a
raw recording.
"""

__all__ = ["session"]
