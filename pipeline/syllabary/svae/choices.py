"""Settings behind the names that a model's settings contain.

Apart from ``settings``, because they import the mathematics. What needs the settings alone
(components, the config) must neither wait for it nor depend on it.
"""

from .. import registry
from ..errors import BadSetting
from ..priors.lookup import find_prior
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
    network = registry.find("syllabary.svae.networks", model.network)
    checked: NetworkSettings = read(
        network.Settings, model.network_settings, f"{where}.network_settings"
    )
    return checked


def prior_settings(model: ModelSettings, where: str = "model") -> Settings:
    """Check the prior's name and its settings, and return them.

    Importing the prior imports the mathematics, which reading a config does not.

    Raises
    ------
    UnknownName, BadSetting
        There is no such prior, or it has no such setting.
    """
    prior = find_prior(model.prior)
    return read(prior.Settings, model.prior_settings, f"{where}.prior_settings")


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
