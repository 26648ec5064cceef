"""A Gaussian mixture of few components."""

from . import gmm
from .gmm import *  # noqa: F403
from .gmm import __all__  # noqa: F401


class Settings(gmm.Settings):
    """Settings of the mixture, with another number of components."""

    states: int = 4
