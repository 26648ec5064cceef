"""Step ``convert``: a raw recording to another format of raw recordings."""

from pathlib import Path

__all__ = ["convert"]


def convert(source: Path, target: Path, config: Path | None, *, overwrite: bool) -> str:
    """Write a raw recording in another format, and check that its frames are the same.

    Parameters
    ----------
    source, target
        Session folder or file; ``.dat``, ``.avi`` or ``.mkv`` to write, in another folder.
    config
        Settings of a study, of which ``extract.source`` and ``machine.scratch`` count; None for none.
    overwrite
        Replace a target that exists.

    Returns
    -------
    str
        A sentence with the digest of the frames.
    """
    from .. import study
    from ..depth import conversion

    checked = study.Config() if config is None else study.read_file(config)
    digest = conversion.convert(
        source,
        target,
        checked.extract.source,
        overwrite=overwrite,
        scratch=checked.machine.scratch,
    )
    return f"{target}: written, read back and the same bit for bit (digest of the frames {digest})"
