"""Step ``new_study``: the shipped config to the folder of a new study."""

from pathlib import Path

__all__ = ["new_study"]


def new_study(folder: Path, template: Path, *, every_setting: bool = False) -> None:
    """Make the folder of a new study.

    Parameters
    ----------
    folder
        Folder to make; it must be empty or absent.
    template
        The shipped folder ``config``.
    every_setting
        Write every setting with its default, not only those that are changed most often.

    Raises
    ------
    BadInput
        The folder is not empty.
    """
    import shutil

    from .. import study
    from ..errors import BadInput

    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder}: is not empty; name a new folder for the study.")
    shutil.copytree(template, folder / "config")
    if every_setting:
        (folder / "config" / "config.yaml").write_text(study.template(), encoding="utf-8")
