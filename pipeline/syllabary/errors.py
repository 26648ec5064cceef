"""Errors a caller can act on: what was wanted, what was found, where, and the way out.

Every message is one sentence for the person at the terminal; it names the file or the
setting, and says what to do.
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
    """Something outside the program is not as it must be; the message is for the user."""


class BadSetting(SyllabaryError):
    """A setting is unknown, of the wrong type, or out of range."""


class BadInput(SyllabaryError):
    """A file or folder is missing, truncated, or does not hold what its name promises."""


class NoFloor(BadInput):
    """No plane in the depth image can be the floor of an arena."""


class ShapeError(SyllabaryError):
    """Arrays that belong together disagree about a shared axis."""


class UnknownName(SyllabaryError):
    """No such reader, prior, network, export or figure."""


class ImpossibleEvidence(SyllabaryError):
    """A frame's evidence rules out every state."""


class IndefinitePrecision(SyllabaryError):
    """The precision of a Gaussian chain is not positive definite, or not a number."""
