"""A folder is a registry: the name of a file is the name a user writes in the config.

``names("syllabary.export")`` lists what the folder offers; ``find("syllabary.export",
"csv")`` imports that one file. There is no list to edit when a file is added.
"""

import difflib
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from .errors import UnknownName

__all__ = ["find", "names", "require", "settings"]


def names(folder: str) -> list[str]:
    """Return the names a package offers, sorted.

    Parameters
    ----------
    folder : str
        Dotted name of a package, such as ``"syllabary.depth.readers"``. Files whose name
        starts with an underscore, and those that the package lists in ``SHARED``, are not offered.
    """
    spec = importlib.util.find_spec(folder)
    if spec is None or not spec.submodule_search_locations:
        raise UnknownName(f"{folder} is not a folder of modules.")
    entries = (entry for place in spec.submodule_search_locations for entry in Path(place).iterdir())
    stems = {
        entry.stem
        for entry in entries
        if entry.suffix == ".py" or (entry.is_dir() and (entry / "__init__.py").exists())
    }
    shared = getattr(importlib.import_module(folder), "SHARED", ())
    return sorted(name for name in stems - set(shared) if not name.startswith("_"))


def require(folder: str, name: str) -> None:
    """Require that a folder offers a name; nothing of it is imported.

    Parameters
    ----------
    folder : str
        Dotted name of a package.
    name : str

    Raises
    ------
    UnknownName
        The folder has no such file; the message names the nearest one.
    """
    offered = names(folder)
    if name not in offered:
        near = difflib.get_close_matches(name, offered, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise UnknownName(
            f"no {folder.removeprefix('syllabary.')} {name!r}{hint} Known: {', '.join(offered)}."
        )


def find(folder: str, name: str) -> ModuleType:
    """Import one module of a folder by the name users write.

    Raises
    ------
    UnknownName
        As ``require``.
    """
    require(folder, name)
    return importlib.import_module(f"{folder}.{name}")


def settings(folder: str, name: str) -> ModuleType:
    """Import the module with the settings of one module: of the same name in ``settings/``, or itself.

    Parameters
    ----------
    folder : str
        Dotted name of a package.
    name : str

    Raises
    ------
    UnknownName
        As ``require``.
    """
    require(folder, name)
    apart = f"{folder}.settings"
    has_settings = importlib.util.find_spec(apart) is not None and name in names(apart)
    return importlib.import_module(f"{apart if has_settings else folder}.{name}")
