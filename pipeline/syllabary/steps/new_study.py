"""Step ``new_study``: the shipped config to the folder of a new study."""

from pathlib import Path

__all__ = ["new_study"]


def new_study(
    folder: Path, shipped: Path, *, every_setting: bool = False, source: Path | None = None
) -> str:
    """Make the folder of a new study.

    Parameters
    ----------
    folder
        Folder to make; it must be empty or absent.
    shipped
        The folder with ``config``, ``data`` and ``workflow``.
    every_setting
        Write every setting with its default, not only those that are changed most often.
    source
        Folder whose recordings are listed; None for a table with examples.

    Returns
    -------
    str
        What to do next, as lines of text.

    Raises
    ------
    BadInput
        The folder is not empty or can't be written; the source has no recording.
    """
    import shutil

    from .. import study
    from ..depth import finding
    from ..errors import BadInput
    from ..records import files

    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: is a file; name a new folder for the study.")
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder}: is not empty; name a new folder for the study.")
    findings, left_out = ([], []) if source is None else finding.find(source)
    reasons = [f"left out: {path} ({reason})" for path, reason in left_out]
    if source is not None and not findings:
        shown = f" ({'; '.join(reasons[:3])})" if reasons else ""
        raise BadInput(
            f"{source}: no raw recording below it{shown}; list recordings by hand, after "
            "'syllabary new' without --from."
        )
    config = folder / "config"
    with files.explained(folder):
        shutil.copytree(shipped / "config", config)
        (folder / "data").mkdir()
        shutil.copy2(shipped / "data" / "README.md", folder / "data")
        shutil.copy2(shipped / "workflow" / "schemas" / "config.schema.json", config)
        (config / "settings.md").write_text(study.reference(), encoding="utf-8")
        for name in ("README.md", "config.yaml"):
            text = (config / name).read_text(encoding="utf-8")
            for there, here in MOVED.items():
                text = text.replace(there, here)
            (config / name).write_text(text, encoding="utf-8")
        if every_setting:
            (config / "config.yaml").write_text(study.template(), encoding="utf-8")
        table = study.table_of_recordings((each.name, each.path, each.subject) for each in findings)
        (config / "recordings.tsv").write_text(table, encoding="utf-8")
    if source is None:
        return f"{folder}: list your recordings in config/recordings.tsv, then: syllabary run"
    return "\n".join(
        [
            *reasons,
            f"{folder}: {len(findings)} recordings below {source}; fill in the column 'group' of "
            "config/recordings.tsv and check 'subject', then: syllabary run",
        ]
    )


# Places in a checkout, and in the folder of a study.
MOVED = {
    "../docs/settings.md": "settings.md",
    "docs/settings.md": "config/settings.md",
    "workflow/schemas/config.schema.json": "config/config.schema.json",
}
