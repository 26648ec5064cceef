"""Settings of the section `export`."""

from ..settings import Field, Settings

__all__ = ["ExportSettings", "require_formats", "taken_names"]


class ExportSettings(Settings):
    """Results for other programs."""

    formats: list[str] = Field(
        ["csv", "parquet"], description="Formats to write: names of files in export/."
    )


def require_formats(settings: ExportSettings) -> None:
    """Check that every format exists; raises UnknownName with the nearest one."""
    from .. import registry

    for name in settings.formats:
        registry.require("syllabary.export", name)


def taken_names() -> frozenset[str]:
    """Return the names of columns that tables and exports have, and covariates cannot have."""
    from . import _columns, moseq

    return frozenset({*_columns.MEANINGS, *moseq.COLUMNS})
