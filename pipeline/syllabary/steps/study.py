"""What the workflow and the command line ask of a study beside running its steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "compare",
    "convert",
    "extract_settings",
    "fits",
    "new_study",
    "open_study",
    "parameters",
    "source_files",
]


def open_study(config: Mapping[str, Any], *, look: bool = True) -> tuple[Any, Any]:
    """Check a study before any work starts.

    Parameters
    ----------
    config : mapping
        The parsed ``config.yaml``.
    look : bool
        Look at every raw recording and behind every name too; once per run is enough.

    Returns
    -------
    study.Config, DataFrame
        The checked settings and the table of recordings with their roles.

    Raises
    ------
    SyllabaryError
        One sentence for each thing that is wrong.
    """
    from .. import study

    checked = study.read_config(config)
    recordings = study.read_recordings(checked.recordings)
    study.require_held_out(checked, recordings)
    study.require_overrides(checked, recordings)
    if look:
        study.check_choices(checked)
        study.require_sources(checked, recordings)
        study.require_labels(checked.labels, recordings)
    return checked, recordings


def fits(config: Any) -> Mapping[str, Any]:
    """Return every model of a checked config by name, candidates of ``select`` among them.

    Returns
    -------
    mapping of str to study.Candidate
        With its ``settings``, its ``seed`` and, of a candidate, its ``variant``.
    """
    from .. import study

    return study.fits(config)


def extract_settings(config: Any, recording: str) -> Any:
    """Return the settings of ``extract`` for one recording of a checked config."""
    from .. import study

    return study.extract_settings(config, recording)


def source_files(source: Path | str) -> list[Path]:
    """Return the files that make up a raw recording."""
    from ..depth import sources

    return sources.files(Path(source))


def parameters(
    config: Path, section: str, *, wanted: Sequence[str], recording: str | None = None
) -> dict[str, Any]:
    """Return those of ``settings``, ``seed`` and ``recordings`` that a step wants by hand."""
    from .. import study
    from ..errors import UnknownName
    from ..settings import Settings

    checked = _checked(config)
    found: dict[str, Any] = {}
    if "settings" in wanted:
        known = study.fits(checked)
        chosen: Settings | None = known[section].settings if section in known else None
        if chosen is None and isinstance(getattr(checked, section, None), Settings):
            chosen = getattr(checked, section)
        if section == "extract" and recording is not None:
            chosen = study.extract_settings(checked, recording)
        if chosen is None:
            raise UnknownName(f"{config}: no model {section!r}; it has {', '.join(known)}.")
        found["settings"] = chosen.model_dump(mode="json")
    if "seed" in wanted:
        found["seed"] = study.fits(checked).get(section, checked).seed
    if "recordings" in wanted:
        table = study.read_recordings(checked.recordings)
        columns = ["recording", "subject", "group", "role"]
        found["recordings"] = table[columns].to_dict("records")
    return found


def _checked(config: Path) -> Any:
    """Read and check a ``config.yaml``."""
    import yaml

    from .. import study
    from ..errors import BadInput

    if not config.is_file():
        raise BadInput(f"{config}: no such file; give the study's settings with --config.")
    try:
        values = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = " ".join(str(error).split())
        raise BadInput(f"{config}: is not YAML ({where}); compare it with the shipped one.") from None
    if not isinstance(values, dict):
        raise BadInput(f"{config}: holds a {type(values).__name__}; wanted sections, 'name: value'.")
    return study.read_config(values)


def new_study(folder: Path, template: Path) -> None:
    """Make a study folder from the shipped config."""
    import shutil

    from ..errors import BadInput

    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder}: is not empty; name a new folder for the study.")
    shutil.copytree(template, folder / "config")


def compare(labels: Path, truth: Path) -> str:
    """Return the scores of one recording as plain text."""
    from ..records import tables
    from ..syllables import score_text, scores

    return score_text.format(
        scores.score(tables.read(labels, tables.LABELS), tables.read(truth, tables.TRUTH))
    )


def convert(source: Path, target: Path, config: Path | None, *, overwrite: bool) -> str:
    """Write a raw recording in another format, check it, and say so in a sentence.

    Parameters
    ----------
    source, target
        Session folder or file; ``.dat``, ``.avi`` or ``.mkv`` to write, in another folder.
    config
        Settings of a study, of which ``extract.source`` and ``machine.scratch`` count; None for none.
    overwrite
        Replace a target that is there.
    """
    from ..depth import conversion
    from ..study import Config

    checked = Config() if config is None else _checked(config)
    digest = conversion.convert(
        source,
        target,
        checked.extract.source,
        overwrite=overwrite,
        scratch=checked.machine.scratch,
    )
    return f"{target}: written, read back and the same bit for bit (digest of the frames {digest})"
