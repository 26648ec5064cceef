"""Find the raw recordings under a folder: sessions, files of every format, packed sessions."""

import os
import re
import tarfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .. import registry
from ..errors import BadInput
from ..records.hdf5 import open_to_read
from . import sources
from .readers import metadata_file, session, video_container
from .settings import SourceSettings

__all__ = ["Finding", "find"]

# Folders of programs, and of MoSeq2 beside the recording that it extracted.
PASSED_OVER = {"results", "logs", "proc", "__pycache__"}
# Names that say nothing about a recording; the folder's name is put before them.
PLAIN = re.compile(r"(depth|results_\d+|session|data|raw|recording|proc)", re.I)
SUBJECTS = ("metadata/acquisition/SubjectName", "metadata/extraction/SubjectName")
# Members of an archive that are looked at without unpacking much, and bytes of such a member.
MEMBERS, SMALL = 50, 16 << 20
# What lists recordings need not look at: their times are checked before the study runs.
FRAMES_ALONE = SourceSettings(timestamps="even", frames_per_second=30)


class Finding(NamedTuple):
    """A recording under a folder.

    Attributes
    ----------
    name : str
        Unique, of letters, digits, ``_``, ``.`` and ``-``.
    path : Path
    subject : str
        Of the metadata, else the name.
    """

    name: str
    path: Path
    subject: str


def find(folder: Path) -> tuple[list[Finding], list[tuple[Path, str]]]:
    """Find the raw recordings under a folder.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of Finding
        In the order of their paths.
    list of (Path, str)
        Files of a format that is read which were left out, and why.

    Raises
    ------
    BadInput
        There is no such folder.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; name the one that holds the recordings.")
    paths: list[Path] = []
    left_out: list[tuple[Path, str]] = []
    for place in _folders(folder.resolve()):
        _look(place, paths, left_out)
    names = _names(paths, folder.resolve())
    findings = [
        Finding(name, path, _subject(path) or name) for name, path in zip(names, paths, strict=True)
    ]
    return findings, left_out


def _folders(top: Path) -> Iterator[Path]:
    """Yield a folder and those below it, each once, in the order of their names."""
    visited: set[str] = set()
    for root, below, _ in os.walk(top, followlinks=True):
        place = os.path.realpath(root)
        is_study = (Path(root) / "config" / "config.yaml").is_file()
        is_session = _is_session(Path(root)) is not None
        below[:] = sorted(
            name
            for name in below
            if not name.startswith(".")
            and not (name.lower() in PASSED_OVER and (is_study or is_session))
            and not (Path(root) / name / "recordings").is_dir()
        )
        if place in visited:
            below.clear()
            continue
        visited.add(place)
        yield Path(root)


def _look(folder: Path, paths: list[Path], left_out: list[tuple[Path, str]]) -> None:
    """Add the recordings in one folder."""
    depth = _is_session(folder)
    if depth is not None:
        paths.append(folder)
    for path in sorted(folder.iterdir()):
        if path == depth or not path.is_file() or path.name.startswith("."):
            continue
        reader = _reader(path)
        if reader is None or session.is_of_another_camera(path):
            continue
        if "\t" in str(path) or "\n" in str(path):
            left_out.append((path, "its path has a tab or a line break"))
            continue
        try:
            is_recording = _holds_depth(path, reader)
        except (BadInput, OSError, tarfile.TarError) as error:
            left_out.append((path, str(error).removeprefix(f"{path}: ").rstrip(".")))
            continue
        if is_recording:
            paths.append(path)


def _is_session(folder: Path) -> Path | None:
    """Return the depth file of a folder that an acquisition program wrote: ``depth.dat`` and others."""
    for path in sorted(folder.iterdir()) if os.access(folder, os.R_OK | os.X_OK) else []:
        if path.stem.lower() == "depth" and session.is_raw(path):
            return path
    return None


def _reader(path: Path) -> str | None:
    """Return the name of the reader that accepts a file."""
    modules = [(name, registry.find(sources.READERS, name)) for name in registry.names(sources.READERS)]
    for name, reader in sorted(modules, key=lambda item: getattr(item[1], "IS_GENERAL", False)):
        if reader.SUFFIXES and reader.accepts(path):
            return name
    return None


def _holds_depth(path: Path, reader: str) -> bool:
    """Return whether a file holds depth; False for results of ours, which nobody would list.

    Raises
    ------
    BadInput
        It does not, or is damaged.
    """
    if reader in ("avi", "mkv"):
        with video_container.opened(path, "avi" if reader == "avi" else "matroska") as container:
            video_container.depth_stream(container, path)
    elif reader == "archive":
        return _is_packed_session(path)
    elif reader == "hdf5" and _is_result(path):
        return False
    elif reader in ("hdf5", "dat"):
        sources.require(path, FRAMES_ALONE)
    return True


def _is_result(path: Path) -> bool:
    """Return whether an HDF5 file is one that syllabary wrote."""
    try:
        with open_to_read(path) as h5:
            return "provenance" in h5.attrs
    except OSError:
        return False


def _is_packed_session(path: Path) -> bool:
    """Return whether an archive seems to hold a session, from its first members."""
    with tarfile.open(path, "r:gz") as archive:
        for count, member in enumerate(archive):
            name = Path(PurePosixPath(member.name).name)
            if member.isfile() and session.is_raw(name):
                return True
            if member.size > SMALL or count >= MEMBERS:
                return True
    raise BadInput(f"{path}: holds no depth file.")


def _subject(path: Path) -> str:
    """Return the animal's name in the metadata of a recording, or nothing."""
    depth = _is_session(path) if path.is_dir() else path
    if depth is None:
        return ""
    try:
        reader = _reader(depth)
        if reader in ("hdf5", "moseq2"):
            with open_to_read(depth) as h5:
                values = [h5.attrs.get("subject"), *(h5[name][()] for name in SUBJECTS if name in h5)]
                value = next((value for value in values if value is not None), "")
        elif reader == "archive":
            return ""
        else:
            value = metadata_file.read(depth).get("SubjectName", "")
    except (BadInput, OSError, KeyError, TypeError):
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return " ".join(text.split())


def _names(paths: Sequence[Path], top: Path) -> list[str]:
    """Return a name for each path: as short as it can be, and none twice whatever the case."""
    parts = [_parts(path, top) for path in paths]
    depth = [2 if PLAIN.fullmatch(each[-1]) and len(each) > 1 else 1 for each in parts]
    for _ in range(max(map(len, parts), default=0)):
        names = [_allowed(each[-used:]) for each, used in zip(parts, depth, strict=True)]
        again = _repeated(names)
        depth = [
            used + (name.lower() in again and used < len(each))
            for name, used, each in zip(names, depth, parts, strict=True)
        ]
    names, taken = [], set()
    for each, used in zip(parts, depth, strict=True):
        name = first = _allowed(each[-used:])
        number = 2
        while name.lower() in taken:
            name, number = f"{first[:95]}_{number}", number + 1
        taken.add(name.lower())
        names.append(name)
    return names


def _parts(path: Path, top: Path) -> tuple[str, ...]:
    """Return the folders below ``top`` and the name without its suffix."""
    below = path.relative_to(top).parts or (top.name,)
    name = below[-1]
    if path.is_file():
        name = re.sub(r"\.(tar\.gz|[^.]+)$", "", name, flags=re.I)
    folders = below[:-1] if below[:-1] else ((top.name,) if path != top else ())
    return (*folders, name)


def _allowed(parts: Iterable[str]) -> str:
    """Return names of folders as one name of a recording."""
    plain = unicodedata.normalize("NFKD", "_".join(parts)).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-")
    return name[-90:].lstrip("_.-") or "recording"


def _repeated(names: Sequence[str]) -> set[str]:
    lower = [name.lower() for name in names]
    return {name for name in lower if lower.count(name) > 1}
