"""Every setting of a study, written out: as a ``config.yaml`` and as a JSON schema."""

import json
from typing import Any

from ..settings import Settings
from .config import Config

__all__ = ["schema", "template"]


def schema() -> dict[str, Any]:
    """Return the JSON schema of ``config.yaml``."""
    return Config.model_json_schema()


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
