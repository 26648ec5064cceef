"""Errors that a user can correct: what was wanted, what was found, where, and the way out.

Every message is one sentence that names the file or setting and a way to correct it.
"""

__all__ = [
    "BadInput",
    "BadSetting",
    "ImpossibleEvidence",
    "IndefinitePrecision",
    "NoFloor",
    "ShapeError",
    "SyllabaryError",
    "UnknownName",
]


class SyllabaryError(ValueError):
    """An input or setting is wrong; the message is for the user."""


class BadSetting(SyllabaryError):
    """A setting is unknown, of the wrong type, or out of range."""


class BadInput(SyllabaryError):
    """A file or folder is missing, truncated, or has other content than its name states."""


class NoFloor(BadInput):
    """No plane in the depth image can be the floor of an arena."""


class ShapeError(SyllabaryError):
    """Arrays that share an axis have different lengths."""


class UnknownName(SyllabaryError):
    """No such reader, prior, network, export or figure."""


class ImpossibleEvidence(SyllabaryError):
    """A frame's evidence rules out every state."""


class IndefinitePrecision(SyllabaryError):
    """The precision of a Gaussian chain is not positive definite, or not a number."""
