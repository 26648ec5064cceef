"""Results for other programs: one file per format, whose name is what users write.

A format offers ``write(folder, tables, provenance)`` and, where possible, ``read(folder)``.
``tables`` is a mapping of name to a table or, for ``frames``, to an iterable with a table
per recording, so that a study of any length passes through in little memory. What the
columns mean, and their units, is written once, in ``_columns``.

In reading order: ``settings``, ``_columns``, ``csv``, ``parquet``, ``moseq``.
"""

# Modules that serve the others; every other file of the folder is one that users name.
SHARED: tuple[str, ...] = ("settings",)

__all__ = ["SHARED"]
