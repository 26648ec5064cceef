"""The settings of a study: a section for each step, and the models to fit."""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..depth.settings import CheckSettings, ExtractSettings, HeadingTrainingSettings
from ..errors import BadInput, BadSetting
from ..export.settings import ExportSettings
from ..figures.settings import DrawSettings
from ..records import plain_yaml, tsv
from ..reduction.settings import ReduceSettings
from ..settings import Field, Settings, read
from ..simulate.settings import SimulateSettings
from ..svae.settings import DiscoverySettings, EvaluateSettings, ModelSettings
from ..syllables.settings import ChangepointSettings, SelectSettings, SuggestSettings, SummarizeSettings

__all__ = [
    "Candidate",
    "Config",
    "candidates",
    "extract_settings",
    "fits",
    "is_reserved",
    "read_config",
    "read_file",
]

LABELS = "config/labels.csv"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
# Names that a system keeps for devices, and names of results beside which a model's would lie.
DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(10))}
)
RESULTS = frozenset({"pca.h5", "changepoints.parquet", "recordings"})


class ReduceSection(ReduceSettings):
    """Principal components of the crops, and model-free change points."""

    changepoints: ChangepointSettings = ChangepointSettings()


class MachineSettings(Settings):
    """How steps run on this machine. Only the device changes a result, in its last digits."""

    log_level: Literal["debug", "info", "warning"] = Field(
        "info", description="Detail of the log files of the steps: debug, info or warning."
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:[0-9]+)?)$",
        description="Where models are fitted and used: auto, cpu, cuda or cuda:N; auto = a GPU if there"
        " is a working one. A GPU rounds otherwise than the processor, so last digits differ.",
    )
    scratch: str | None = Field(
        None,
        description="Folder that packed recordings are unpacked into; null = the system's temporary"
        " folder.",
    )


class Config(Settings):
    """The settings of a study: a section for each step."""

    seed: int = Field(0, ge=0, description="Seed of all random numbers of the study.")
    recordings: str = Field(
        "config/recordings.tsv", description="Table of the recordings, separated by tabs."
    )
    labels: str = Field(
        LABELS,
        description="Optional table of behaviors that people labeled (csv, tsv, or an export of BORIS).",
    )
    simulate: SimulateSettings = SimulateSettings()
    train_heading: HeadingTrainingSettings = HeadingTrainingSettings()
    extract: ExtractSettings = ExtractSettings()
    overrides: dict[str, dict[str, Any]] = Field(
        {}, description="Settings of extract for single recordings, by name of the recording."
    )
    check: CheckSettings = CheckSettings()
    reduce: ReduceSection = ReduceSection()
    models: dict[str, ModelSettings] = Field(
        {
            "slds": ModelSettings(
                network="conv",
                network_settings={"outliers": 0.002},
                prior="slds",
                registration=True,
                kinematics=True,
                subject_offset=True,
                discovery=DiscoverySettings(),
            ),
            "pca-slds": ModelSettings(prior="slds"),
            "pca-arhmm": ModelSettings(),
        },
        min_length=1,
        description="Models to fit or to load, by name.",
    )
    evaluate: EvaluateSettings = EvaluateSettings()
    summarize: SummarizeSettings = SummarizeSettings()
    suggest: SuggestSettings = SuggestSettings()
    select: SelectSettings = SelectSettings()
    export: ExportSettings = ExportSettings()
    draw: DrawSettings = DrawSettings()
    machine: MachineSettings = MachineSettings()


class Candidate(NamedTuple):
    """A model to fit: its settings and its seed; ``variant`` is empty for one of ``models``."""

    settings: ModelSettings
    seed: int
    variant: str = ""


def read_config(values: Mapping[str, Any]) -> Config:
    """Check a parsed ``config.yaml``.

    Raises
    ------
    BadSetting
        One sentence that names every wrong key and the nearest right one.
    """
    config = read(Config, _named(values), "")
    _require_names(config.models)
    for name, model in config.models.items():
        if model.path is not None and not Path(model.path).is_file():
            raise BadInput(f"models.{name}.path: no file {model.path!r}; give a model.safetensors.")
    candidates(config)
    for recording in config.overrides:
        extract_settings(config, recording)
    if config.labels != LABELS and not Path(config.labels).is_file():
        raise BadInput(
            f"labels: no file {config.labels!r}; name a csv or tsv, or leave the setting out."
        )
    return config


def _require_names(models: Mapping[str, ModelSettings]) -> None:
    """Require that models have names which can be those of their files, on every computer."""
    spelled = dict[str, str]()
    for name in models:
        if not NAME.fullmatch(name):
            raise BadSetting(f"model name {name!r}: use letters, digits, '_', '.' and '-' only.")
        if is_reserved(name) or name.casefold() in RESULTS:
            raise BadSetting(f"model name {name!r}: is the name of another file; choose another.")
        other = spelled.setdefault(name.casefold(), name)
        if other != name:
            raise BadSetting(
                f"model names {other!r} and {name!r} are one file on some computers; rename one of them."
            )


def is_reserved(name: str) -> bool:
    """Whether some system has no such file: names of devices, and names that end with a point.

    Parameters
    ----------
    name : str
    """
    return name.endswith(".") or name.partition(".")[0].casefold() in DEVICES


def _named(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Turn keys of ``overrides`` that YAML reads as numbers or dates into the names of recordings."""
    overrides = values.get("overrides")
    if not isinstance(overrides, Mapping) or all(isinstance(key, str) for key in overrides):
        return values
    path = values.get("recordings", "config/recordings.tsv")
    names: Iterable[str] = tsv.read(path, ("recording",))["recording"] if isinstance(path, str) else []
    named: dict[str, Any] = {}
    for key, settings in overrides.items():
        meant = [key] if isinstance(key, str) else [name for name in names if _reads_as(name, key)]
        if len(set(meant)) != 1:
            several = (
                f"it may be {' or '.join(map(repr, meant))}"
                if meant
                else f"{path} has no such recording"
            )
            raise BadSetting(
                f"overrides: YAML reads a name as {key!r}, and {several}; put the name in quotes."
            )
        if meant[0] in named:
            raise BadSetting(f"overrides: {meant[0]!r} is there twice; keep one.")
        named[meant[0]] = settings
    return {**values, "overrides": named}


def _reads_as(name: str, key: object) -> bool:
    """Whether YAML reads a plain name as this value."""
    import yaml

    try:
        value = yaml.safe_load(name)
    except (yaml.YAMLError, ValueError):
        return False
    return type(value) is type(key) and bool(value == key)


def read_file(path: Path) -> Config:
    """Read and check a ``config.yaml``.

    Raises
    ------
    BadInput, BadSetting
        There is no such file, it is not YAML, or a setting is wrong.
    """
    return read_config(plain_yaml.read(path))


def extract_settings(config: Config, recording: str) -> ExtractSettings:
    """Return the settings of ``extract`` for a recording: its own laid over those of the study.

    Raises
    ------
    BadSetting
        The recording's own have a wrong key or value, or do not go with the study's.
    """
    overrides = config.overrides.get(recording)
    if not overrides:
        return config.extract
    values = _laid_over(config.extract.model_dump(mode="json"), overrides)
    return read(ExtractSettings, values, f"overrides.{recording}")


def candidates(config: Config) -> dict[str, Candidate]:
    """Return what ``select`` chooses from, by name: ``<model>.<variant>.<seed>``.

    A variant's settings are laid over the model's, key by key. Settings of a network or a prior are
    not handed on to another network or prior.

    Raises
    ------
    BadSetting
        There is no such model to train, a variant has a wrong setting, a name is taken or no name, or
        variants explain different pixels.
    """
    chosen = config.select
    if chosen.model is None:
        return {}
    model = config.models.get(chosen.model)
    if model is None:
        near = difflib.get_close_matches(chosen.model, config.models, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise BadSetting(
            f"select.model = {chosen.model!r}: no such model{hint} Known: {', '.join(config.models)}."
        )
    by_name = {}
    for variant, changes in chosen.settings.items():
        if model.path is not None or changes.get("path") is not None:
            raise BadSetting(
                f"select.model = {chosen.model!r}, variant {variant!r}: has a path, so nothing is "
                "trained; select a model without one."
            )
        settings = read(ModelSettings, _changed(model, changes), f"select.settings.{variant}")
        for seed in range(config.seed, config.seed + chosen.seeds):
            name = f"{chosen.model}.{variant}.{seed}"
            if not NAME.fullmatch(name) or not variant:
                raise BadSetting(
                    f"select.settings, variant {variant!r}: the candidate {name!r} becomes a file "
                    "name; use letters, digits, '_', '.' and '-', at most 100 in all."
                )
            if name in config.models:
                raise BadSetting(
                    f"select.settings, variant {variant!r}: {name!r} is a model in 'models' already; "
                    "rename one of them."
                )
            by_name[name] = Candidate(settings, seed, variant)
    if len({candidate.settings.registration for candidate in by_name.values()}) > 1:
        raise BadSetting(
            "select.settings: some variants register crops and others do not, so they explain different "
            "pixels, and their likelihoods can't be ranked; select among each kind by itself."
        )
    return by_name


def fits(config: Config) -> dict[str, Candidate]:
    """Return every model that the rules know: those of ``models``, then the candidates."""
    named = {name: Candidate(model, config.seed) for name, model in config.models.items()}
    return named | candidates(config)


def _changed(model: ModelSettings, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a variant's settings over a model's."""
    values = model.model_dump(mode="json")
    for part in ("network", "prior"):
        if changes.get(part, values[part]) != values[part]:
            values[f"{part}_settings"] = {}
    return _laid_over(values, changes)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _laid_over(below[key], value)
        for key, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
    }
    return {**below, **above, **both}
