"""Find a prior by the name that users write in a config."""

from .. import registry
from .interface import ChosenNetworkPrior, ChosenPrior, NetworkPrior, Prior

__all__ = ["as_network_prior", "find_prior"]


def find_prior(name: str) -> ChosenPrior:
    """Import the prior of that name, a module of this folder.

    Raises
    ------
    UnknownName
        There is no such prior; the message names the nearest one.
    TypeError
        The module lacks a member of ``Prior``.
    """
    module = registry.find("syllabary.priors", name)
    if not isinstance(module, Prior):
        raise TypeError(f"{module.__name__} lacks a member of priors.interface.Prior.")
    prior: ChosenPrior = module
    return prior


def as_network_prior(prior: ChosenPrior) -> ChosenNetworkPrior | None:
    """Return the prior if networks can be trained with it, otherwise None."""
    if not isinstance(prior, NetworkPrior):
        return None
    network_prior: ChosenNetworkPrior = prior
    return network_prior
