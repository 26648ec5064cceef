"""A section of ``config.yaml`` becomes a checked, frozen object.

Every module that has settings describes them as a subclass of :class:`Settings`, each field
with its unit in the name or the description. ``read`` checks a mapping against it, and reports
each wrong key in one sentence. The JSON schema of the whole config is made from these models.
"""

import difflib
import re
import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import pydantic
from pydantic import Field

from .errors import BadSetting

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["Field", "Settings", "read"]

# Settings that had another name before 0.1.0. The old name is not accepted: it names the new one.
RENAMED = {
    "bridge_frames": "bridge_s",
    "build": "subject_offset",
    "forecast_lags": "lags",
    "foresight_lags": "lags",
    "latent_sweeps": "latent_iterations",
    "restart_sweeps": "restart_iterations",
    "settle_sweeps": "clamped_iterations",
    "sweeps": "iterations",
    "turns": "local_iterations",
}
# Settings that became constants of the code.
CONSTANT = (
    "batch_windows",
    "classifier",
    "duration_frames",
    "duration_tolerance",
    "far_quantile",
    "folds",
    "gradient_norm",
    "jitter_ms",
    "max_steps",
    "merge_threshold_nats",
    "most_steps",
    "object_mm",
    "recogniser",
    "resolution_nats",
    "rounds",
    "solver_damping",
    "solver_iterations",
    "solver_tolerance",
)
# British spellings and the American ones that settings use.
SCIENTIFIC = re.compile(r"[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)[eE][-+]?[0-9]+")
LARGEST = 2.0**53  # the largest size at which every whole number is a float
SPELLINGS = {"our": "or", "centre": "center", "ise": "ize", "grey": "gray", "labell": "label"}


class Settings(pydantic.BaseModel):
    """Base of every settings section: unknown keys are errors, values cannot change."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _numbers_are_numbers(cls, value: object, info: pydantic.ValidationInfo) -> object:
        return _as_number(value, _leaves(cls.model_fields[str(info.field_name)].annotation))


S = TypeVar("S", bound=Settings)


def _leaves(annotation: object) -> frozenset[object]:
    """Return the plain types in an annotation; the type of each value of a Literal among them."""
    if get_origin(annotation) is Literal:
        return frozenset(type(value) for value in get_args(annotation))
    parts = get_args(annotation)
    return frozenset().union(*map(_leaves, parts)) if parts else frozenset({annotation})


def _as_number(value: object, leaves: frozenset[object]) -> object:
    """Return a value as it is; refuse what would silently become another number."""
    if isinstance(value, list | tuple):
        return type(value)(_as_number(item, leaves) for item in value)
    if not leaves & {int, float} or Any in leaves:
        return value
    if isinstance(value, bool) and bool not in leaves:
        raise ValueError("wanted a number, not true or false")
    if isinstance(value, str) and str not in leaves:
        # YAML 1.1 reads 1e-3 as text.
        if not SCIENTIFIC.fullmatch(value):
            raise ValueError("wanted a number, without quotes and without a unit")
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) <= LARGEST:
        raise ValueError(f"wanted a number of at most {LARGEST:g} in size")
    return value


def read(model: type[S], values: Mapping[str, object] | None, where: str) -> S:
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
    if values is not None and not isinstance(values, Mapping):
        raise BadSetting(f"setting {where} = {SHORT.repr(values)}: wanted a section, 'name: value'.")
    try:
        return model.model_validate(dict(values or {}))
    except pydantic.ValidationError as error:
        faults = "; ".join(_fault(model, item, where) for item in error.errors())
        raise BadSetting(faults + ".") from None


SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 80


def _fault(model: type[Settings], item: "ErrorDetails", where: str) -> str:
    path = ".".join([where, *map(str, item["loc"])]).strip(".")
    if item["loc"] and item["loc"][-1] == "[key]":
        place = ".".join([where, *map(str, item["loc"][:-2])]).strip(".")
        return f"setting {place}: YAML reads the name {item['input']!r} as no text; put it in quotes"
    if item["type"] != "extra_forbidden":
        reason = item["msg"].removeprefix("Value error, ")
        return f"setting {path} = {SHORT.repr(item['input'])}: {reason[0].lower()}{reason[1:]}"
    key, allowed = str(item["loc"][-1]), _fields_at(model, item["loc"][:-1])
    if key in CONSTANT:
        return f"setting {path} is no longer a setting; leave it out"
    new = RENAMED.get(key, _american(key))
    if new != key and new in allowed:
        unit = ", in seconds" if new.endswith("_s") and not key.endswith("_s") else ""
        return f"setting {path} is now called {new!r}{unit}; rename it"
    near = difflib.get_close_matches(key, allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"unknown setting {path}{hint} Known here: {', '.join(sorted(allowed))}"


def _american(name: str) -> str:
    for british, american in SPELLINGS.items():
        name = name.replace(british, american)
    return name


def _fields_at(model: type[pydantic.BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the names of the fields at a path inside a model."""
    annotation: object = model
    for key in path:
        if get_origin(annotation) is dict:
            # The key is a name of the user's; the value is what the mapping holds.
            annotation = get_args(annotation)[1]
        elif isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
            field = annotation.model_fields.get(str(key))
            annotation = _model_in(field.annotation) if field else None
    inside = isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)
    fields = annotation.model_fields if inside else model.model_fields  # type: ignore[attr-defined]
    return list(fields)


def _model_in(annotation: object) -> object:
    """Return the model of an optional section; any other annotation as it is."""
    models = [
        part for part in get_args(annotation) if isinstance(part, type) and issubclass(part, Settings)
    ]
    return models[0] if models and get_origin(annotation) is not dict else annotation
