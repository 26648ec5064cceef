"""A study: its settings, its recordings, and what must be true before any work starts.

``read_config`` checks the whole of ``config.yaml``; ``read_recordings`` the table of
recordings, and decides who is held out; ``require_sources`` looks at every raw recording
without reading a frame; ``fits`` says which models there are to fit, candidates of ``select`` among
them. The file names of a study live in the workflow's rules.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from .depth.settings import CheckSettings, ExtractSettings, HeadingTrainingSettings
from .errors import BadInput, BadSetting
from .export.settings import ExportSettings
from .figures.settings import DrawSettings
from .records import annotations, tsv
from .reduction.settings import ReduceSettings
from .settings import Field, Settings, read
from .simulate.settings import SimulateSettings
from .svae.settings import DiscoverySettings, EvaluateSettings, ModelSettings
from .syllables.settings import ChangepointSettings, SelectSettings, SuggestSettings, SummarizeSettings

__all__ = [
    "Candidate",
    "Config",
    "candidates",
    "extract_settings",
    "fits",
    "read_config",
    "read_recordings",
    "require_held_out",
    "require_labels",
    "require_overrides",
    "require_sources",
    "schema",
    "template",
]

SIMULATED = "simulated"
LABELS = "config/labels.csv"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
ROLES = ("train", "held_out", "apply")
REQUIRED = ("recording", "path", "subject", "group")
HELD_OUT_FROM = 4  # animals in a group
HELD_OUT_SHARE = 5  # one in so many


class ReduceSection(ReduceSettings):
    """Principal components, and the model-free change points found in them."""

    changepoints: ChangepointSettings = ChangepointSettings()


class MachineSettings(Settings):
    """How to run; never a rule's parameter, and without influence on any result."""

    log_level: Literal["debug", "info", "warning"] = Field(
        "info", description="What the log files of the steps tell."
    )
    scratch: str | None = Field(
        None,
        description="Folder to unpack packed recordings into while they are read; null = the system's.",
    )


class Config(Settings):
    """The whole of ``config.yaml``: a section per step."""

    seed: int = Field(0, ge=0, description="Seed of everything random in the study.")
    recordings: str = Field("config/recordings.tsv", description="Table of recordings, tab separated.")
    labels: str = Field(
        LABELS,
        description="Behaviors that people labeled (csv, tsv, or an export of BORIS), if any.",
    )
    simulate: SimulateSettings = SimulateSettings()
    train_heading: HeadingTrainingSettings = HeadingTrainingSettings()
    extract: ExtractSettings = ExtractSettings()
    overrides: dict[str, dict[str, Any]] = Field(
        {}, description="Settings of extract that differ for single recordings, by recording."
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
        description="Models to fit, or paths of models fitted elsewhere, by name.",
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
    config = read(Config, values, "")
    for name, model in config.models.items():
        if not NAME.fullmatch(name):
            raise BadSetting(f"model name {name!r}: use letters, digits, '_', '.' and '-' only.")
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


def check_choices(config: Config) -> None:
    """Check the settings that live behind a name: priors, export formats, figures, colors.

    Kept apart from ``read_config`` because it imports the mathematics.
    """
    from .export.settings import require_formats
    from .figures import study as drawings
    from .svae.choices import require_choices

    for name, model in config.models.items():
        require_choices(model, f"models.{name}")
    for variant, settings in {c.variant: c.settings for c in candidates(config).values()}.items():
        require_choices(settings, f"select.settings.{variant}")
    require_formats(config.export)
    drawings.require_choices(config.draw)


def schema() -> dict[str, Any]:
    """Return the JSON schema of ``config.yaml``."""
    return Config.model_json_schema()


def read_recordings(path: Path | str) -> pd.DataFrame:
    """Read and check the table of recordings; decide the role of each.

    Returns
    -------
    DataFrame
        Indexed by recording: ``recording, path, subject, group, role`` and covariates.

    Raises
    ------
    BadInput
        The table is missing, lacks a column, names a recording twice, or has a bad value.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(
            f"{path}: no table of recordings; write one with the columns {', '.join(REQUIRED)} "
            "(config/README.md shows how), or name another with the setting 'recordings'."
        )
    table = tsv.read(path, REQUIRED)
    if table.empty:
        raise BadInput(f"{path}: lists no recording; add a row for each.")
    for name in REQUIRED:
        empty = table.index[table[name] == ""]
        if len(empty):
            raise BadInput(f"{path}, line {empty[0]}: no {name}; every recording needs one.")
    for line, name in table["recording"].items():
        if not NAME.fullmatch(name):
            raise BadInput(
                f"{path}, line {line}: recording name {name!r} becomes a file name; use at most 100 "
                "letters, digits, '_', '.' and '-', and start with a letter or digit."
            )
    _require_once(path, table["recording"].str.lower(), table["recording"], "name")
    real = table[table["path"] != SIMULATED]
    _require_once(path, real["path"].map(_place), real["path"], "path")
    for subject, rows in table.groupby("subject"):
        if len(rows["group"].unique()) > 1:
            raise BadInput(
                f"{path}: subject {subject!r} is in the groups {', '.join(rows['group'].unique())}; "
                "an animal belongs to one group (make the condition a covariate column instead)."
            )
    roles = table["role"] if "role" in table else pd.Series("", table.index)
    wrong = table.index[~roles.isin(["", *ROLES])]
    if len(wrong):
        raise BadInput(
            f"{path}, line {wrong[0]}: role {roles[wrong[0]]!r}; wanted {', '.join(ROLES)}, or nothing."
        )
    table["role"] = roles.where(roles != "", _default_roles(table[roles == ""]))
    for subject, rows in table.groupby("subject"):
        if {"train", "held_out"} <= set(rows["role"]):
            raise BadInput(
                f"{path}: subject {subject!r} has recordings to train on and held out; what is held out "
                "must be animals that no model has seen."
            )
    if not (table["role"] == "train").any():
        raise BadInput(f"{path}: no recording has the role 'train'; a model needs at least one.")
    return table.set_index("recording", drop=False)


def _place(path: str) -> Path:
    """The folder or file that a path means, however it is spelled."""
    place = Path(path).resolve()
    return place.parent if place.name == "depth.dat" else place


def _require_once(path: Path, keys: pd.Series, shown: pd.Series, what: str) -> None:
    again = keys.index[keys.duplicated()]
    if len(again):
        first = keys.index[keys == keys[again[0]]][0]
        raise BadInput(
            f"{path}, line {again[0]}: the {what} {shown[again[0]]!r} is already on line {first}; list "
            "each recording once."
        )


def _default_roles(table: pd.DataFrame) -> pd.Series:
    """One animal in five is held out, in every group of four or more, by a digest of its name."""
    roles = pd.Series("train", table.index, dtype="object")
    for _, rows in table.groupby("group"):
        subjects = sorted(
            rows["subject"].unique(), key=lambda s: hashlib.blake2b(s.encode()).hexdigest()
        )
        if len(subjects) >= HELD_OUT_FROM:
            held_out = subjects[: max(1, round(len(subjects) / HELD_OUT_SHARE))]
            roles[rows.index[rows["subject"].isin(held_out)]] = "held_out"
    return roles


def require_overrides(config: Config, recordings: pd.DataFrame) -> None:
    """Require that settings of single recordings are of recordings in the table.

    Raises
    ------
    BadSetting
        Names one that is not, and the nearest that is.
    """
    for name in config.overrides:
        if name not in recordings.index:
            near = difflib.get_close_matches(name, recordings.index, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"{config.recordings} lists them all."
            raise BadSetting(f"overrides.{name}: no such recording; {hint}")


def require_sources(config: Config, recordings: pd.DataFrame) -> None:
    """Look at every raw recording and outline, frames unread; collect what is wrong with each.

    Raises
    ------
    BadInput
        A line for each recording that cannot be read.
    """
    from .depth.arena import outline
    from .depth.sources import require

    faults = []
    for recording, path in recordings["path"].items():
        settings = extract_settings(config, str(recording))
        try:
            outline.require(settings.arena)
            if path != SIMULATED:
                require(Path(path), settings.source)
        except BadInput as error:
            faults.append(f"{recording}: {error}")
    if faults:
        raise BadInput("\n".join(faults))


def require_held_out(config: Config, recordings: pd.DataFrame) -> None:
    """Require animals that no model sees where a model is to be selected by them.

    Raises
    ------
    BadInput
        There are none.
    """
    if config.select.model is not None and not (recordings["role"] == "held_out").any():
        raise BadInput(
            f"{config.recordings}: no recording has the role 'held_out', and select.model = "
            f"{config.select.model!r} is to be judged by animals never trained on; give some that role."
        )


def require_labels(path: Path | str, recordings: pd.DataFrame) -> None:
    """Read what people labeled, if there is such a file: every label must be of a recording listed.

    Raises
    ------
    BadInput
        The first thing that is wrong, with its line.
    """
    if Path(path).is_file():
        annotations.bouts(path, recordings.index)


def template() -> str:
    """Return a ``config.yaml`` that spells out every default, with its description above it."""
    import yaml

    lines = ["# Every setting with its default; a section per step. What is left out takes its default."]

    def write(model: Settings, depth: int) -> None:
        for name, field in type(model).model_fields.items():
            value = getattr(model, name)
            pad = "  " * depth
            if depth == 0:
                lines.append("")
            about = field.description or (type(value).__doc__ or "").partition("\n")[0]
            if about:
                lines.append(f"{pad}# {' '.join(about.split())}")
            if isinstance(value, Settings):
                lines.append(f"{pad}{name}:")
                write(value, depth + 1)
            elif isinstance(value, dict) and any(isinstance(v, Settings) for v in value.values()):
                lines.append(f"{pad}{name}:")
                for key, item in value.items():
                    lines.append(f"{pad}  {key}:")
                    write(item, depth + 2)
            else:
                plain = json.loads(model.model_dump_json(include={name}))[name]
                text = yaml.safe_dump(plain, default_flow_style=True, width=1000, sort_keys=False)
                lines.append(f"{pad}{name}: {text.removesuffix('...' + chr(10)).strip()}")

    write(Config(), 0)
    return "\n".join(lines) + "\n"
