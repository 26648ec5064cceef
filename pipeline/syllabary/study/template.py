"""Every setting of a study, written out: as a ``config.yaml``, a JSON schema and a page."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from ..settings import Settings
from ..svae.settings import ModelSettings, TrainingSettings
from .config import Config

__all__ = ["reference", "schema", "table_of_recordings", "template"]

# Settings of training that act on networks of crops, on latents with noise, or on clamped states alone.
OF_NETWORKS = {"epochs", "window_frames", "buffer_frames", "learning_rate", "global_rate"}
OF_LATENTS = {"local_iterations", "latent_iterations"}
OF_CLAMPED = {"clamped_iterations"}
REFERENCE = """# Settings

This page is generated from the settings models (`make schema`). Settings are in `config/config.yaml`.
What is left out takes its default. `syllabary new --all FOLDER` writes a config with all of them.
"""
TABLE = """# One row for each recording, with tabs between the columns; README.md explains them.
recording	path	subject	group
"""
EXAMPLES = """# m1_day1	/data/m1_day1	m1	control
# m2_day1	/data/m2_day1.avi	m2	drug
"""


def schema() -> dict[str, Any]:
    """Return the JSON schema of ``config.yaml``."""
    return Config.model_json_schema()


def template() -> str:
    """Return a ``config.yaml`` that spells out every default, with its description above it.

    Settings that cannot act on a model are not written for it.
    """
    lines = ["# Every setting with its default; a section per step. What is left out takes its default."]

    def write(section: Settings, depth: int, hidden: frozenset[str] = frozenset()) -> None:
        for name, field in type(section).model_fields.items():
            if name in hidden:
                continue
            value, pad = getattr(section, name), "  " * depth
            if depth == 0:
                lines.append("")
            about = description(field, value)
            if about:
                lines.append(f"{pad}# {about}")
            if isinstance(value, Settings):
                lines.append(f"{pad}{name}:")
                write(value, depth + 1, idle(section) if isinstance(section, ModelSettings) else hidden)
            elif isinstance(value, dict) and any(isinstance(v, Settings) for v in value.values()):
                lines.append(f"{pad}{name}:")
                for key, item in value.items():
                    lines.append(f"{pad}  {key}:")
                    write(item, depth + 2)
            else:
                lines.append(f"{pad}{name}: {as_yaml(section, name)}")

    write(Config(), 0)
    return "\n".join(lines) + "\n"


def table_of_recordings(rows: Iterable[tuple[str, Path, str]] = ()) -> str:
    """Return a ``recordings.tsv`` to fill in; its groups are empty.

    Parameters
    ----------
    rows : iterable of (str, Path, str)
        Name, path and subject of each recording; without any, two rows are examples in comments.
    """
    lines = [f"{name}\t{path}\t{subject}\t\n" for name, path, subject in rows]
    return TABLE + ("".join(lines) or EXAMPLES)


def idle(model: ModelSettings) -> frozenset[str]:
    """Return the settings of training that cannot act on a model."""
    has_clamped = model.discovery is not None
    hidden = set() if model.network != "pca" else OF_NETWORKS
    hidden |= set() if has_clamped else OF_CLAMPED
    # With clamped states, or latents as points, nothing alternates.
    return frozenset(hidden | (set() if model.prior == "slds" and not has_clamped else OF_LATENTS))


def reference() -> str:
    """Return the page of all settings, in Markdown: a table for each section."""
    parts = [REFERENCE]
    for title, section in [*sections(Config(), ""), *chosen_by_name()]:
        about = " ".join((type(section).__doc__ or "").split("\n\n")[0].split())
        parts.append(f"## {f'`{title}`' if title else 'The study'}\n\n{about}\n")
        rows = ["| setting | values | default | meaning |", "| --- | --- | --- | --- |"]
        for name, field in type(section).model_fields.items():
            value = getattr(section, name)
            if not isinstance(value, Settings) and not (title == "" and name == "models"):
                cells = (
                    f"`{name}`",
                    values_of(field),
                    f"`{as_yaml(section, name)}`",
                    description(field, value),
                )
                rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        if len(rows) > 2:
            parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def sections(section: Settings, title: str) -> Iterator[tuple[str, Settings]]:
    """Yield every section of the config once, with its path; the models share one."""
    yield title, section
    for name in type(section).model_fields:
        value = getattr(section, name)
        path = f"{title}.{name}".strip(".")
        if isinstance(value, Settings):
            yield from sections(value, path)
        elif path == "models":
            shipped = value["slds"]
            whole = ModelSettings(discovery=shipped.discovery, training=TrainingSettings())
            yield from sections(whole, "models.NAME")


def chosen_by_name() -> Iterator[tuple[str, Settings]]:
    """Yield the settings of every network and every prior."""
    from .. import registry

    for key, folder in (("network", "syllabary.svae.networks"), ("prior", "syllabary.priors")):
        for name in registry.names(folder):
            yield f"{key}_settings: {name}", registry.find(folder, name).Settings()


def description(field: FieldInfo, value: object) -> str:
    """Return what a setting means, on one line."""
    about = field.description
    if about is None and isinstance(value, Settings):
        about = (type(value).__doc__ or "").partition("\n")[0]
    return " ".join((about or "").split())


def values_of(field: FieldInfo) -> str:
    """Return the values that a setting may have: its type in plain words, and its range."""
    kind = get_origin(field.annotation)
    if kind in (dict, list, tuple):
        return "mapping" if kind is dict else "list"
    parts = [part for part in (get_args(field.annotation) or (field.annotation,)) if part is not None]
    if not any(isinstance(part, type) for part in parts):
        return ", ".join(f"`{part}`" for part in parts)
    words = {
        bool: "true or false",
        int: "whole number",
        float: "number",
        str: "text",
        type(None): "null",
    }
    plain = [words.get(part, "") for part in parts if isinstance(part, type)]
    text = " or ".join(dict.fromkeys(word for word in plain if word)) or "list or mapping"
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [
        f"{sign} {getattr(item, key):g}"
        for item in field.metadata
        for key, sign in signs.items()
        if getattr(item, key, None) is not None
    ]
    return f"{text}, {', '.join(limits)}" if limits else text


def as_yaml(section: Settings, name: str) -> str:
    """Return a value as one line of YAML."""
    plain = json.loads(section.model_dump_json(include={name}))[name]
    text = yaml.safe_dump(plain, default_flow_style=True, width=1000, sort_keys=False)
    return text.removesuffix("...\n").strip()
