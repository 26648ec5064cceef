"""Raw depth recordings, one file per format; ``depth.sources`` chooses among them.

A reader offers ``SUFFIXES`` and these functions. ``accepts(path) -> bool`` judges by name and kind.
``require(path, settings)`` makes cheap checks without reading a frame and raises ``BadInput``.
``files(path)`` returns the files that decide the result. ``open_video(path, settings, *, scratch)``
returns a ``Video``. A reader of crops that were extracted already offers ``open_crops`` in its place,
with the same arguments, which returns ``ExtractedCrops``. Formats that can be written offer
``write_video(path, blocks, shape, times_s)`` too, and write that one file. A reader whose format holds
others, as HDF5 does, sets ``IS_GENERAL = True``: it comes after all others. In a session folder that has
several files, ``holds_depth(path)`` passes over those whose content is not depth, if a reader offers it.

In reading order: ``metadata_file`` and ``timestamps_file`` (what lies beside the frames; the latter with
``timestamps_table``, its lines and columns, and ``time_text``, how times are written), ``dat``,
``video_container`` (video by PyAV), ``avi``, ``mkv`` with ``matroska_file`` (is it whole), ``hdf5`` with
``hdf5_file``, ``moseq2`` (crops of MoSeq2), ``session`` (a folder), ``archive`` (a packed folder),
``count_detection`` (what the counts of any of them mean).
Nothing is ever written beside a raw recording.
"""

# Modules that serve the readers; every other file of the folder is one.
SHARED = (
    "count_detection", "hdf5_file", "matroska_file", "metadata_file", "time_text", "timestamps_file",
    "timestamps_table", "video_container",
)  # fmt: skip

__all__ = ["SHARED"]
