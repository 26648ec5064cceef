"""Step ``convert``: a raw recording to another format of raw recordings."""

from pathlib import Path

__all__ = ["convert"]


def convert(source: Path, target: Path, config: Path | None, *, overwrite: bool, lossy: bool) -> str:
    """Write a raw recording in another format, and check what is written.

    Parameters
    ----------
    source, target
        Session folder or file; ``.dat``, ``.avi`` or ``.mkv`` to write, in another folder.
    config
        Settings of a study, of which ``extract.source`` and ``machine.scratch`` count; None for none.
    overwrite
        Replace a target that exists.
    lossy
        Write whole mm, even if that merges levels of depth.

    Returns
    -------
    str
        A sentence with the digest of the frames, and what is not as it was.
    """
    from .. import study
    from ..depth import conversion
    from ..depth.counts import Counts

    checked = study.Config() if config is None else study.read_file(config)
    copy = conversion.convert(
        source,
        target,
        checked.extract.source,
        overwrite=overwrite,
        lossy=lossy,
        scratch=checked.machine.scratch,
    )
    digest = f"(digest of the frames {copy.digest})"
    before, after = copy.levels
    if not copy.is_exact:
        more = "at least " if before >= conversion.MAX_LEVELS else ""
        return (
            f"{target}: written as whole mm and read back; {more}{before} levels of depth were merged "
            f"into {after} {digest}"
        )
    if copy.counts != Counts():
        return (
            f"{target}: written and read back, every count as it was; its metadata say what they mean, "
            f"such as the unit of {copy.counts.unit_mm:g} mm {digest}"
        )
    return f"{target}: written, read back and the same bit for bit {digest}"
