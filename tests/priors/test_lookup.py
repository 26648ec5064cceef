"""A prior by its name."""

from types import ModuleType

import pytest

from syllabary import registry
from syllabary.errors import UnknownName
from syllabary.priors import arhmm, slds
from syllabary.priors.lookup import as_network_prior, find_prior


def test_a_prior_is_the_module_of_its_name():
    assert find_prior("slds") is slds
    assert as_network_prior(find_prior("slds")) is slds
    assert as_network_prior(find_prior("arhmm")) is None


def test_an_unknown_name_gives_the_nearest_one():
    with pytest.raises(UnknownName, match="did you mean 'arhmm'"):
        find_prior("arhm")


def test_a_module_that_lacks_a_member_is_no_prior(monkeypatch):
    module = ModuleType("syllabary.priors.half")
    module.Settings, module.Parameters = arhmm.Settings, arhmm.Parameters
    monkeypatch.setattr(registry, "find", lambda folder, name: module)
    with pytest.raises(TypeError, match=r"priors\.half lacks a member"):
        find_prior("half")


def test_settings_tell_which_priors_train_networks():
    for name in registry.names("syllabary.priors"):
        trains = as_network_prior(find_prior(name)) is not None
        assert trains == registry.settings("syllabary.priors", name).TRAINS_NETWORKS
        assert registry.settings("syllabary.priors", name).Settings is find_prior(name).Settings
