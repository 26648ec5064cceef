"""Settings behind the names that a model's settings contain.

The settings of priors and networks lie apart from them, so that nothing here imports the mathematics.
"""

from .. import registry
from ..errors import BadSetting
from ..settings import Settings, read
from .settings import ModelSettings, NetworkSettings

__all__ = ["network_settings", "prior_settings", "require_choices"]


def network_settings(model: ModelSettings, where: str = "model") -> NetworkSettings:
    """Check the network's name and its settings, and return them.

    Raises
    ------
    UnknownName, BadSetting
        There is no such network, or it has no such setting.
    """
    network = registry.settings("syllabary.svae.networks", model.network)
    checked: NetworkSettings = read(
        network.Settings, model.network_settings, f"{where}.network_settings"
    )
    return checked


def prior_settings(model: ModelSettings, where: str = "model") -> Settings:
    """Check the prior's name and its settings, and return them.

    Raises
    ------
    UnknownName, BadSetting
        There is no such prior, or it has no such setting.
    """
    prior = registry.settings("syllabary.priors", model.prior)
    checked: Settings = read(prior.Settings, model.prior_settings, f"{where}.prior_settings")
    return checked


def require_choices(model: ModelSettings, where: str) -> None:
    """Check the modules and settings behind the names in a model's settings.

    Raises
    ------
    UnknownName, BadSetting
        There is no such module or setting, or the prior cannot use discovered states.
    """
    network_settings(model, where)
    prior_settings(model, where)
    if model.discovery is not None and model.prior != "slds":
        raise BadSetting(
            f"{where}.discovery works with prior 'slds', not with {model.prior!r}: take that prior, "
            "or leave discovery out."
        )


def _trains_networks(name: str) -> bool:
    module = registry.settings("syllabary.priors", name)
    trains = getattr(module, "TRAINS_NETWORKS", None)
    if trains is not None:
        return bool(trains)
    from ..priors.lookup import as_network_prior, find_prior

    return as_network_prior(find_prior(name)) is not None
