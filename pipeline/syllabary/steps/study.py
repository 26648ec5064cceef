"""Questions about a study, which the workflow and the command line ask before they run a step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput
from ._shared import Rows, Section

if TYPE_CHECKING:
    import pandas as pd

    from ..depth.settings import ExtractSettings
    from ..study import Candidate, Config

__all__ = [
    "extract_settings",
    "fits",
    "gpus",
    "open_study",
    "parameters",
    "recording_rows",
    "require_harmless",
    "require_study",
    "source_files",
]
# Snakemake imports what lies here, relative to the folder of the study.
DEPLOYED = Path(".snakemake/pip-deployments")


def open_study(config: Section, *, look: bool = True) -> "tuple[Config, pd.DataFrame]":
    """Check a study before any work starts.

    Parameters
    ----------
    config : mapping
        The parsed ``config.yaml``.
    look : bool
        Check every raw recording and every named file too; once per run is enough.

    Returns
    -------
    study.Config, DataFrame
        The checked settings and the table of recordings with their roles.

    Raises
    ------
    SyllabaryError
        One sentence for each mistake.
    """
    from .. import study

    checked = study.read_config(config)
    recordings = study.read_recordings(checked.recordings)
    study.require_design(checked, recordings)
    study.require_held_out(checked, recordings)
    study.require_overrides(checked, recordings)
    study.require_paths(checked, recordings)
    if look:
        study.check_choices(checked)
        study.require_sources(checked, recordings)
        study.require_labels(checked.labels, recordings)
        study.require_tables(checked)
    return checked, recordings


def require_study(options: Sequence[str], folder: Path = Path()) -> None:
    """Require a study in a folder, with settings that can be read.

    Parameters
    ----------
    options
        Options of Snakemake, which may name another folder or other settings.
    folder
        Folder of the study; this one by default.

    Raises
    ------
    BadInput
        The folder has no ``config/config.yaml``, or it is not YAML.
    """
    from ..errors import BadInput
    from ..records import plain_yaml

    for option, value in zip(options, [*options[1:], ""], strict=False):
        name, _, joined = option.partition("=")
        if name in ("--directory", "-d"):
            folder = Path(joined or value)
        if name in ("--configfile", "--configfiles"):
            return
    config = folder / "config" / "config.yaml"
    if not config.is_file():
        raise BadInput(
            f"{folder.resolve()}: is not the folder of a study, for it has no config/config.yaml; go to "
            "the study's folder, or make one with 'syllabary new FOLDER'."
        )
    plain_yaml.require(config)


def require_harmless(arguments: Sequence[str] = ()) -> None:
    """Require that nothing in this folder makes Snakemake run a program; ask before it reads a file.

    Parameters
    ----------
    arguments : sequence of str
        Further arguments of Snakemake; the files of ``--configfile`` are looked at too.

    Raises
    ------
    BadInput
        A config has expressions, objects, or too many values; a package lies where Snakemake looks
        for its own; a profile is named that a folder of the study hides.
    """
    from ..records import plain_yaml

    option = ""
    files = [Path("config/config.yaml")]
    for argument in arguments:
        option = argument if argument.startswith("-") else option
        value = argument.partition("=")[2] if argument.startswith("-") else argument
        if option.startswith("--configf") and value:
            files.append(Path(value))
        if (
            option.startswith("--profile")
            and value
            and Path(value).exists()
            and Path(value).name == value
        ):
            raise BadInput(
                f"--profile {value}: this folder has a {value!r} too, which Snakemake would take for "
                f"yours; give the whole path, or ./{value} if you trust this folder."
            )
    for path in files:
        plain_yaml.require(path)
        if path.is_file() and not plain_yaml.read(path):
            raise BadInput(f"{path}: holds no setting; write one that may be the default, 'seed: 0'.")
    if DEPLOYED.exists():
        raise BadInput(
            f"{DEPLOYED}: programs there would run with the study; delete it (it has no result)."
        )


def fits(config: "Config") -> "Mapping[str, Candidate]":
    """Return every model of a checked config by name, candidates of ``select`` among them.

    Parameters
    ----------
    config : study.Config

    Returns
    -------
    mapping of str to study.Candidate
        With its ``settings``, its ``seed`` and, of a candidate, its ``variant``.
    """
    from .. import study

    return study.fits(config)


def gpus(config: "Config") -> int:
    """Return the cards that a job needs which can use one: 1 or 0.

    Parameters
    ----------
    config : study.Config
        With ``machine.device``. ``auto`` needs a card where this machine has a working one; from a
        machine without one that sends jobs to others, ``cuda`` asks for theirs.
    """
    from .. import devices

    return int(devices.wants_gpu(config.machine.device))


def extract_settings(config: "Config", recording: str) -> "ExtractSettings":
    """Return the settings of ``extract`` for one recording of a checked config.

    Parameters
    ----------
    config : study.Config
    recording : str
        Name of the recording.
    """
    from .. import study

    return study.extract_settings(config, recording)


def recording_rows(
    recordings: "pd.DataFrame", names: Sequence[str], *, with_covariates: bool = False
) -> Rows:
    """Return the rows of recordings that a step takes, in the order of their names.

    Parameters
    ----------
    recordings : DataFrame
        The table that ``open_study`` returned.
    names : sequence of str
        Names of the recordings.
    with_covariates : bool
        Whether the step uses covariates; they change its parameters.
    """
    from .. import study

    return study.rows(recordings.loc[list(names)], with_covariates=with_covariates)


def source_files(source: Path | str) -> list[Path]:
    """Return the files of a raw recording.

    Parameters
    ----------
    source : path
        Path of the recording, as in the table of recordings.
    """
    from ..depth import sources

    return sources.files(Path(source))


def parameters(
    config: Path, section: str, *, wanted: Sequence[str], recording: str | None = None
) -> dict[str, Section | Rows | int | str]:
    """Return the settings, seed, recordings and device that a step takes from a config.

    Parameters
    ----------
    config
        ``config.yaml`` of the study.
    section
        Name of a section of the config, or of a model.
    wanted
        Names of the step's parameters; those of ``settings``, ``seed``, ``recordings`` and ``device``
        among them are returned.
    recording
        Recording whose own settings of ``extract`` count.

    Raises
    ------
    UnknownName
        The config has no such section or model.
    """
    from .. import study
    from ..errors import UnknownName
    from ..settings import Settings

    checked = study.read_file(config)
    models = study.fits(checked)
    values: dict[str, Section | Rows | int | str] = {}
    if "settings" in wanted:
        chosen = models[section].settings if section in models else getattr(checked, section, None)
        if section == "extract" and recording is not None:
            chosen = study.extract_settings(checked, recording)
        if not isinstance(chosen, Settings):
            raise UnknownName(f"{config}: no model {section!r}; it has {', '.join(models)}.")
        values["settings"] = chosen.model_dump(mode="json")
    if "seed" in wanted:
        values["seed"] = models[section].seed if section in models else checked.seed
    if "device" in wanted:
        values["device"] = checked.machine.device
    # A model can be fitted by hand without a table; each recording is an animal then.
    has_table = section not in models or Path(checked.recordings).is_file()
    if "recordings" in wanted and has_table:
        values["recordings"] = study.rows(study.read_recordings(checked.recordings))
    return values
