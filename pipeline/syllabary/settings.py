"""A section of ``config.yaml`` becomes a checked, frozen object.

Every room that has settings describes them as a subclass of :class:`Settings`, each field
with its unit in the name or the description. ``read`` turns a mapping into one, or says in
one sentence which key is wrong and what it could have been. The JSON schema of the whole
config is made from these models.
"""

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

import pydantic
from pydantic import Field

from .errors import BadSetting

__all__ = ["Field", "Settings", "read"]


class Settings(pydantic.BaseModel):
    """Base of every settings section: unknown keys are errors, values cannot change."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, validate_default=True)


S = TypeVar("S", bound=Settings)


def read(model: type[S], values: Mapping[str, Any] | None, where: str) -> S:
    """Check ``values`` against ``model``.

    Parameters
    ----------
    model : subclass of Settings
    values : mapping or None
        The section as parsed from YAML; ``None`` stands for an empty section.
    where : str
        Name of the section, for the message.

    Raises
    ------
    BadSetting
        Names every wrong key with its path, what was found and what was wanted.
    """
    try:
        return model.model_validate(dict(values or {}))
    except pydantic.ValidationError as error:
        faults = "; ".join(_fault(model, item, where) for item in error.errors())
        raise BadSetting(faults + ".") from None


def _fault(model: type[Settings], item: Any, where: str) -> str:
    path = ".".join([where, *map(str, item["loc"])]).strip(".")
    if item["type"] != "extra_forbidden":
        return f"setting {path} = {item['input']!r}: {item['msg'][0].lower()}{item['msg'][1:]}"
    allowed = _fields_at(model, item["loc"][:-1])
    near = difflib.get_close_matches(str(item["loc"][-1]), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown setting {path}{hint or '.'} Known here: {', '.join(sorted(allowed))}"


def _fields_at(model: type[pydantic.BaseModel], path: tuple[Any, ...]) -> list[str]:
    annotation: Any = model
    for key in path:
        if get_origin(annotation) is dict:
            # The key is a name of the user's; what it holds is the mapping's value.
            annotation = get_args(annotation)[1]
        elif isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
            field = annotation.model_fields.get(str(key))
            annotation = field.annotation if field else None
    inside = isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)
    return list(annotation.model_fields if inside else model.model_fields)
