"""Encoder and decoder of a model: names, storage and the types they promise."""

import numpy as np
import pytest
import torch

from syllabary import registry
from syllabary.errors import BadSetting, UnknownName
from syllabary.reduction.pca import Pca
from syllabary.svae.networks import interface
from syllabary.svae.networks.autoencoder import create, find_network
from syllabary.svae.settings import ModelSettings

SIZE, D = (12, 10), 2
CONV = ModelSettings(network="conv", network_settings={"channels": [4], "hidden": 8})


@pytest.fixture
def components(rng):
    used = np.ones(SIZE, bool)
    basis = np.linalg.qr(rng.standard_normal((used.size, D)))[0].T
    return Pca(
        mean=30 * rng.random(SIZE),
        components=basis.reshape(D, *SIZE),
        scale=np.array([60.0, 30.0]),
        explained_variance_ratio=np.array([0.6, 0.2]),
        noise_variance_mm2=np.asarray(8.0),
        pixel_variance_mm2=np.full(SIZE, 4.0),
        used=used,
        pixel_mm=np.asarray(2.0),
        min_observed_fraction=np.asarray(0.5),
    )


@pytest.mark.parametrize("name", registry.names("syllabary.svae.networks"))
def test_every_network_satisfies_the_interface(name, components):
    network = find_network(name)
    networks = create(ModelSettings(network=name), components, np.random.default_rng(1))
    for protocol, built in (
        (interface.Encoder, networks.encoder),
        (interface.Decoder, networks.decoder),
    ):
        assert {m for m in dir(protocol) if not m.startswith("_")} <= set(dir(built))
    assert issubclass(network.Settings, registry.find("syllabary.svae.networks", name).Settings)
    assert networks.encoder.max_precision == network.Settings().max_precision


def test_unknown_names_and_settings_are_errors(components, rng):
    with pytest.raises(UnknownName, match="did you mean 'conv'"):
        find_network("convs")
    # A module that serves the networks is not one.
    with pytest.raises(UnknownName):
        find_network("likelihood")
    wrong = ModelSettings(network="pca", network_settings={"channels": [4]})
    with pytest.raises(BadSetting, match="channels"):
        create(wrong, components, rng)


def test_a_module_without_the_interface_is_refused(monkeypatch):
    monkeypatch.setattr(registry, "find", lambda folder, name: np)
    with pytest.raises(TypeError, match="lacks a member"):
        find_network("pca")


def test_tensors_restore_both_networks(components):
    first = create(CONV, components, np.random.default_rng(1))
    second = create(CONV, components, np.random.default_rng(2))
    latents = torch.ones((3, D))
    with torch.no_grad():
        for parameter in first.decoder.parameters():
            parameter += 0.1
    tensors = first.tensors()
    assert {name.partition(".")[0] for name in tensors} == {"encoder", "decoder"}
    assert not torch.equal(first.decoder(latents), second.decoder(latents))
    second.load(tensors)
    assert torch.equal(first.decoder(latents), second.decoder(latents))
    assert all(torch.equal(tensors[name], value) for name, value in second.tensors().items())


def test_tensors_are_copies(components):
    networks = create(CONV, components, np.random.default_rng(1))
    before = networks.tensors()
    with torch.no_grad():
        for parameter in networks.encoder.parameters():
            parameter += 1
    after = networks.tensors()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("encoder.") for name in changed)


def test_networks_do_not_share_memory_with_the_reduction(components):
    networks = create(ModelSettings(network="pca"), components, np.random.default_rng(1))
    before = networks.decoder(torch.zeros((1, D))).detach().clone()
    components.mean[:] = 0
    assert torch.equal(networks.decoder(torch.zeros((1, D))), before)


def test_the_linear_network_trains_the_noise_alone(components):
    networks = create(ModelSettings(network="pca"), components, np.random.default_rng(1))
    assert list(networks.encoder.parameters()) == []
    (noise,) = networks.decoder.parameters()
    assert noise.shape == SIZE
    np.testing.assert_allclose(networks.decoder.log_variance().exp().detach(), 4.0, rtol=1e-5)
