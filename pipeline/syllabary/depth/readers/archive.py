"""A session folder packed as ``.tar.gz`` or ``.tgz``, unpacked while it is open.

A compressed stream has no random access, so it is unpacked into a scratch folder first. Members must be
plain files and folders inside the archive, of plausible sizes.
"""

import gzip
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...errors import BadInput
from ...progress import track as progress
from ..settings import SourceSettings
from ..video import Video
from . import session

__all__ = ["SUFFIXES", "accepts", "files", "open_video", "require"]

SUFFIXES = (".tar.gz", ".tgz")
# A session is not looked for in a folder of packed ones.
HOLDS_A_SESSION = True
MAX_MEMBERS = 10_000
BLOCK = 1 << 20
# Deflate packs at most 1032 bytes into one.
MAX_RATIO = 1032
# Tar files end in zeros, by no more than their record.
MAX_PADDING = 16 << 20
DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, MemoryError)


def accepts(path: Path) -> bool:
    """Return whether ``path`` is named as a packed folder."""
    return path.name.lower().endswith(SUFFIXES) and not path.is_dir()


def require(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` unless the archive begins as one; the rest shows when it is unpacked."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            first = archive.next()
    except DAMAGED as error:
        raise _damaged(path, error) from None
    if first is None:
        raise BadInput(f"{path}: the archive is empty; pack the session folder again.")
    _require_harmless(first, path)


def files(path: Path) -> list[Path]:
    """Return the archive."""
    return [path]


def open_video(path: Path, settings: SourceSettings, *, scratch: Path | None = None) -> Video:
    """Unpack into a new folder in ``scratch``, which goes when the recording is closed.

    Raises
    ------
    BadInput
        The archive is damaged, a member lies outside the folder, or the disk is full.
    """
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    unpacked = tempfile.TemporaryDirectory(prefix="syllabary-", dir=scratch)
    try:
        folder = Path(unpacked.name)
        _unpack(path, folder)
        inside = list(folder.iterdir())
        if len(inside) == 1 and inside[0].is_dir():
            folder = inside[0]
        recording = session.open_video(folder, settings)
    except BadInput as error:
        unpacked.cleanup()
        # The scratch folder is gone, so the message names the archive.
        raise BadInput(str(error).replace(unpacked.name, str(path))) from None
    except BaseException:
        unpacked.cleanup()
        raise
    recording.when_closed(unpacked.cleanup)
    return recording


def _unpack(path: Path, folder: Path) -> None:
    packed = path.stat().st_size
    total = 0
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for count, member in enumerate(archive):
                _require_harmless(member, path)
                total += member.size
                if count >= MAX_MEMBERS or total > MAX_RATIO * packed:
                    raise BadInput(
                        f"{path}: promises {count + 1} members of {total} bytes, which {packed} packed "
                        "bytes cannot hold; the archive is damaged: pack the session folder again."
                    )
                if member.size > shutil.disk_usage(folder).free:
                    raise BadInput(
                        f"{path}: {member.name} needs {member.size} bytes, and the scratch folder "
                        f"{folder.parent} has fewer; set machine.scratch to a folder with more room."
                    )
                if member.isfile():
                    _write(archive, member, folder, path)
            # The checksum stands behind the padding.
            for _ in range(MAX_PADDING // BLOCK):
                if not stream.read(BLOCK):
                    break
    except DAMAGED as error:
        if isinstance(error, BadInput):
            raise
        raise _damaged(path, error) from None


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, path: Path) -> None:
    """Write one member in blocks."""
    target = folder.joinpath(*_parts(member.name))
    source = archive.extractfile(member)
    assert source is not None, "a regular file has content"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for block in progress(
                iter(lambda: source.read(BLOCK), b""),
                f"unpack {member.name}",
                total=-(-member.size // BLOCK),
                unit="MiB",
            ):
                file.write(block)
    except (FileExistsError, NotADirectoryError):
        raise BadInput(f"{path}: holds {member.name} twice; pack the session folder again.") from None
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        raise BadInput(
            f"{path}: {member.name} cannot be unpacked into {folder.parent} "
            f"({error.strerror or error}); set machine.scratch to a folder with room."
        ) from None


def _require_harmless(member: tarfile.TarInfo, path: Path) -> None:
    """Raise ``BadInput`` for a member that is no plain file or folder, or lies outside the archive."""
    if not (member.isfile() or member.isdir()) or member.issparse() or member.size < 0:
        raise BadInput(
            f"{path}: member {member.name[:200]!r} is a link, a device or something else that is no "
            "plain file; pack the session's files themselves."
        )
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\0" in member.name:
        raise BadInput(
            f"{path}: member {member.name[:200]!r} would be written outside the archive's own folder; "
            "pack the session folder by itself."
        )


def _parts(name: str) -> Iterator[str]:
    return (part for part in PurePosixPath(name).parts if part not in ("", "."))


def _damaged(path: Path, error: BaseException) -> BadInput:
    fault = " ".join(str(error).split()) or type(error).__name__
    return BadInput(f"{path}: not a whole archive ({fault}); copy it again.")
