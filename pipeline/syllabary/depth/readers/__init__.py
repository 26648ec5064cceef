"""Raw depth recordings, one file per format; ``depth.sources`` chooses among them.

A reader offers ``SUFFIXES``, ``accepts(path) -> bool`` (by name and kind alone, reading
nothing), ``require(path, settings)`` (cheap checks without reading a frame; raises ``BadInput``),
``files(path)`` (those that decide the result) and ``open_video(path, settings, *, scratch)``, which
returns a ``Recording``. Formats that can be written offer ``write_video(path, blocks, shape, times_s)``
too, and write that one file.

In reading order: ``_recording`` (what is opened), ``_metadata`` and ``_clock`` (what lies beside
the frames), ``dat``, ``_container`` (video by PyAV), ``avi``, ``mkv`` with ``_matroska`` (is it
whole) and ``_calibration`` (an Azure Kinect's lens), ``hdf5`` and ``_hdf5``, ``session`` (a
folder), ``archive`` (a packed folder). Nothing is ever written beside a raw recording.
"""

# Every file of the folder without an underscore is a reader.
SHARED: tuple[str, ...] = ()

__all__ = ["SHARED"]
