"""Results for other programs: one file per format, whose name is what users write.

A format has ``write(folder, tables, provenance)`` and, if possible, ``read(folder)``. ``tables`` is a
mapping of name to a table. ``frames`` is an iterable with a table per recording, so that a study of
any length needs little memory. Meanings and units of columns are in ``_columns``.

In reading order: ``settings``, ``_columns``, ``csv``, ``parquet``, ``moseq``,
``keypoint_moseq``, ``boris``.
"""

# Modules that serve the others; every other file of the folder is a format that users name.
SHARED: tuple[str, ...] = ("settings",)

__all__ = ["SHARED"]
