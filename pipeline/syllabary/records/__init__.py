"""What stages hand to each other: shapes, units, saving and loading.

In reading order: ``files`` (whole files or none, with their provenance), ``crops`` (one
row per tick: heights above the floor, scalars, tracking, arena), ``posterior`` (latents and
state probabilities), ``clips`` (what a model shows when it is asked), ``tables`` (labels, truth
and every other parquet table), ``tsv`` (tables that people write by hand), ``annotations``
(behaviors that people labeled), ``contents`` (any result file as named arrays),
``comparison`` (are two result folders equal).

T ticks of a recording's clock; a tick without a frame is *missing*. Heights are counts of
``height_step_mm`` above the floor, images ``[row, column]``, positions mm in the arena's
frame (x image right, y image down, z up), angles rad from +x toward +y, times s.
"""

__all__ = [
    "annotations",
    "clips",
    "comparison",
    "contents",
    "crops",
    "files",
    "posterior",
    "tables",
    "tsv",
]
