"""What lies behind the names in a model's settings.

Apart from ``settings``, because looking behind a name imports the mathematics, and what needs
the settings alone (components, the config) must neither wait for it nor depend on it.
"""

from .. import registry
from ..errors import BadSetting
from ..settings import Settings, read
from .settings import ModelSettings

__all__ = ["network_settings", "prior_settings", "require_choices"]


def network_settings(model: ModelSettings, where: str = "model") -> Settings:
    """Check the network's name and its settings, and return them.

    Raises
    ------
    UnknownName, BadSetting
        There is no such network, or it has no such setting.
    """
    chosen = registry.find("syllabary.svae.networks", model.network)
    checked: Settings = read(chosen.Settings, model.network_settings, f"{where}.network_settings")
    return checked


def prior_settings(model: ModelSettings, where: str = "model") -> Settings:
    """Check the prior's name and its settings, and return them.

    Importing the prior imports the mathematics, which reading a config does not.

    Raises
    ------
    UnknownName, BadSetting
        There is no such prior, or it has no such setting.
    """
    chosen = registry.find("syllabary.priors", model.prior)
    checked: Settings = read(chosen.Settings, model.prior_settings, f"{where}.prior_settings")
    return checked


def require_choices(model: ModelSettings, where: str) -> None:
    """Check what lies behind the names in a model's settings.

    Raises
    ------
    UnknownName, BadSetting
        There is no such file or setting, or the prior can't be told of its states.
    """
    network_settings(model, where)
    prior_settings(model, where)
    if model.discovery is not None and not hasattr(
        registry.find("syllabary.priors", model.prior), "from_autoregression"
    ):
        raise BadSetting(
            f"{where}.discovery tells prior 'slds' of its states, and not {model.prior!r}: take that "
            "prior, or leave discovery out."
        )
