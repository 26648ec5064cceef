"""The contract of every network in ``svae/networks/``."""

import numpy as np
import pytest
import torch

from syllabary import registry
from syllabary.errors import ShapeError
from syllabary.reduction import pca
from syllabary.svae.networks.base import capped

NETWORKS = registry.names("syllabary.svae.networks")
FRAMES, SIZE, D = 7, (20, 18), 3


def reduction(rng, size=SIZE):
    """Components as ``reduce`` makes them: orthonormal, zero where pixels are not used."""
    used = rng.random(size) > 0.2
    basis = np.zeros((D, *size))
    basis[:, used] = np.linalg.qr(rng.standard_normal((used.sum(), D)))[0].T
    return pca.Pca(
        mean=30 * rng.random(size),
        components=basis,
        scale=np.array([90.0, 60.0, 30.0]),
        explained_variance_ratio=np.array([0.6, 0.2, 0.1]),
        noise_variance_mm2=np.asarray(8.0),
        pixel_variance_mm2=np.where(used, rng.uniform(1, 15, size), 1),
        used=used,
        pixel_mm=np.asarray(1.85),
        min_observed_fraction=np.asarray(0.5),
    )


def frames(rng, components, count=FRAMES):
    """Arguments of an encoder: the third frame is missing, and a tenth of the other pixels."""
    latents = rng.standard_normal((count, D))
    heights = pca.reconstruct(components, latents) + rng.standard_normal((count, *components.mean.shape))
    observed = rng.random(heights.shape) > 0.1
    information = rng.uniform(1e2, 1e5, (count, D))
    latents[2], information[2] = np.nan, 0
    arrays = heights.astype(np.float32), observed, latents, information
    return tuple(torch.from_numpy(array) for array in arrays)


class Made:
    """A network of one file, with its components and frames for it."""

    def __init__(self, name, rng, size=SIZE):
        self.module = registry.find("syllabary.svae.networks", name)
        self.settings = self.module.Settings()
        self.components = reduction(rng, size)
        self.frames = frames(rng, self.components)
        self.latents = torch.from_numpy(rng.standard_normal((FRAMES, D)))
        self.encoder = self.module.Encoder(self.settings, self.components, np.random.default_rng(5))
        self.decoder = self.module.Decoder(self.settings, self.components, np.random.default_rng(6))

    def parameters(self):
        return [*self.encoder.parameters(), *self.decoder.parameters()]

    def loss(self):
        mean, precision = self.encoder(*self.frames)
        heights, log_variance = self.decoder(self.latents), self.decoder.log_variance()
        target = self.latents.float()
        residual = ((heights - self.components.mean.mean()).square() * torch.exp(-log_variance)).mean()
        return (
            (mean - target).square().mean() + precision.log1p().mean() + residual + log_variance.mean()
        )

    def train(self, steps=3):
        """Train away from the start, where corrections are zero; returns the network."""
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        for _ in range(steps):
            optimizer.zero_grad()
            self.loss().backward()
            optimizer.step()
        return self

    def require_finite_gradients(self, outputs):
        """Check gradients of the outputs by the weights of the encoder, if it has any."""
        weights = list(self.encoder.parameters())
        total = sum(part.sum() for part in outputs)
        for gradient in torch.autograd.grad(total, weights) if weights else ():
            assert torch.isfinite(gradient).all()


@pytest.fixture(params=NETWORKS)
def network(request, rng):
    return Made(request.param, rng)


@pytest.fixture
def trained(network):
    return network.train()


@pytest.mark.parametrize("size", [SIZE, (16, 16), (17, 23), (33, 80)])
@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_for_crops_of_any_size(name, size, rng):
    network = Made(name, rng, size).train(1)
    mean, precision = network.encoder(*network.frames)
    heights, log_variance = network.decoder(network.latents), network.decoder.log_variance()
    assert mean.shape == precision.shape == (FRAMES, D)
    assert heights.shape == (FRAMES, *size) and log_variance.shape == size
    for result in (mean, precision, heights, log_variance):
        assert result.dtype == torch.float32 and torch.isfinite(result).all()
    assert (precision >= 0).all() and (precision < network.settings.max_precision).all()
    assert network.decoder.used.shape == size and network.decoder.used.dtype == torch.bool


@pytest.mark.parametrize("count", [0, 1])
def test_few_frames_or_none(trained, count):
    mean, precision = trained.encoder(*(array[:count] for array in trained.frames))
    assert mean.shape == precision.shape == (count, D)
    assert trained.decoder(trained.latents[:count]).shape == (count, *SIZE)


def test_before_training_the_network_is_the_pca(network):
    """It equals the linear network bit for bit, and the PCA up to float32 rounding."""
    _, _, latents, information = network.frames
    mean, precision = network.encoder(*network.frames)
    limit = network.settings.max_precision
    assert torch.equal(mean, latents.nan_to_num(0).float())
    expected = (information * limit / (information + limit)).float()
    torch.testing.assert_close(precision, expected, rtol=1e-5, atol=0)
    heights = network.decoder(network.latents)
    reconstructed = pca.reconstruct(network.components, network.latents.numpy())
    torch.testing.assert_close(heights, torch.from_numpy(reconstructed), rtol=1e-5, atol=1e-4)
    variance = np.maximum(
        network.components.pixel_variance_mm2, 1.01 * network.settings.noise_floor_mm**2
    )
    variances = network.decoder.log_variance().exp()
    torch.testing.assert_close(variances, torch.from_numpy(variance).float(), rtol=1e-5, atol=0)

    linear = registry.find("syllabary.svae.networks", "pca")
    settings, rng = linear.Settings(), np.random.default_rng(5)
    encoder = linear.Encoder(settings, network.components, rng)
    decoder = linear.Decoder(settings, network.components, rng)
    for variances, other in zip((mean, precision), encoder(*network.frames), strict=True):
        assert torch.equal(variances, other)
    assert torch.equal(heights, decoder(network.latents))


def test_gradients_reach_every_parameter_and_are_finite(network):
    before = float(network.loss().detach())
    network.train(5)
    loss = network.loss()
    assert float(loss.detach()) < before
    for parameter in network.parameters():
        parameter.grad = None
    loss.backward()
    for module in (network.encoder, network.decoder):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("filling", [np.nan, np.inf, -1e30, 12.5])
def test_missing_pixels_are_invisible(trained, filling):
    heights, observed, means, information = trained.frames
    changed = torch.where(observed, heights, filling)
    outputs = trained.encoder(changed, observed, means, information)
    for left, right in zip(outputs, trained.encoder(*trained.frames), strict=True):
        assert torch.equal(left, right)
    trained.require_finite_gradients(outputs)


def test_pixels_that_are_not_used_are_invisible(trained):
    heights, *rest = trained.frames
    changed = torch.where(trained.decoder.used, heights, np.nan)
    for left, right in zip(
        trained.encoder(changed, *rest), trained.encoder(heights, *rest), strict=True
    ):
        assert torch.equal(left, right)


@pytest.mark.parametrize("filling", [np.nan, np.inf, 0.0])
def test_a_missing_frame_has_no_precision_whatever_its_pixels(trained, filling):
    heights, observed, means, information = (array.clone() for array in trained.frames)
    heights[2], observed[2], means[2] = filling, True, filling
    mean, precision = trained.encoder(heights, observed, means, information)
    assert (mean[2] == 0).all() and (precision[2] == 0).all() and (precision[[0, 1, 3]] > 0).all()
    trained.require_finite_gradients((mean, precision))


@torch.no_grad()
def test_a_batch_is_its_loop(trained):
    mean, precision = trained.encoder(*trained.frames)
    heights = trained.decoder(trained.latents)
    for i in range(FRAMES):
        rows = slice(i, i + 1)
        mean_alone, precision_alone = trained.encoder(*(array[rows] for array in trained.frames))
        # The order of sums inside a product depends on the batch, so float32 rounding differs.
        torch.testing.assert_close(mean_alone, mean[rows], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(precision_alone, precision[rows], rtol=1e-4, atol=0)
        torch.testing.assert_close(
            trained.decoder(trained.latents[rows]), heights[rows], rtol=1e-4, atol=1e-3
        )


def test_one_generator_gives_one_set_of_weights(network):
    """Weights do not depend on torch's global generator, and do not advance it."""
    torch.manual_seed(1)
    state = torch.get_rng_state()
    for kind in ("Encoder", "Decoder"):
        make = getattr(network.module, kind)
        first, again, other = (
            make(network.settings, network.components, np.random.default_rng(seed)).state_dict()
            for seed in (3, 3, 4)
        )
        assert first.keys() == again.keys() and all(torch.equal(first[k], again[k]) for k in first)
        drawn = [k for k in first if k.endswith("weight") and first[k].any()]
        assert all(not torch.equal(first[k], other[k]) for k in drawn)
    assert torch.equal(torch.get_rng_state(), state)


def test_stored_tensors_restore_the_network(trained):
    """A network of another generator equals the stored one after loading its tensors."""
    for kind, network, arguments in (
        ("Encoder", trained.encoder, trained.frames), ("Decoder", trained.decoder, (trained.latents,)),
    ):  # fmt: skip
        again = getattr(trained.module, kind)(
            trained.settings, trained.components, np.random.default_rng(9)
        )
        again.load_state_dict(network.state_dict())
        torch.testing.assert_close(again(*arguments), network(*arguments), rtol=0, atol=0)


def test_only_used_pixels_are_corrected(trained):
    linear = pca.reconstruct(trained.components, trained.latents.numpy())
    unused = ~trained.decoder.used
    corrected = trained.decoder(trained.latents)[:, unused]
    torch.testing.assert_close(corrected, torch.from_numpy(linear)[:, unused], rtol=1e-5, atol=1e-4)


def test_the_correction_is_orthogonal_to_the_components(trained):
    """Latents are then the components' scores of the decoded crops."""
    reduction = trained.components
    basis = (reduction.components / reduction.scale[:, None, None]).reshape(len(reduction.scale), -1)
    shown = trained.decoder(trained.latents).detach().double().numpy() - reduction.mean
    np.testing.assert_allclose(shown.reshape(len(shown), -1) @ basis.T, trained.latents, atol=1e-4)


@torch.no_grad()
def test_noise_never_falls_below_the_floor(network):
    network.decoder.log_above_floor.fill_(-200)
    floor = np.log(network.settings.noise_floor_mm**2)
    torch.testing.assert_close(network.decoder.log_variance(), torch.full(SIZE, float(floor)))


def test_errors_name_the_wrong_shapes(network):
    heights, observed, means, information = network.frames
    with pytest.raises(ShapeError, match=r"heights are \(7, 19, 18\)"):
        network.encoder(heights[:, 1:], observed[:, 1:], means, information)
    with pytest.raises(ShapeError, match=r"take \(6, 20, 18\)"):
        network.encoder(heights, observed, means[1:], information[1:])
    with pytest.raises(ShapeError, match=r"latents are \(7, 2\); these components take \(N, 3\)"):
        network.decoder(network.latents[:, 1:])


def test_a_capped_precision_is_the_harmonic_sum_and_its_gradient_is_finite():
    information = torch.tensor([0.0, 1e-30, 1.0, 1e4, 1e12], dtype=torch.float64)
    for log_scale in (-3.0, 0.0, 2.0):
        capped_precision = capped(information, torch.full((5,), log_scale, dtype=torch.float64), 1e4)
        scaled = information * np.exp(log_scale)
        torch.testing.assert_close(capped_precision, 1 / (1e-4 + 1 / scaled))
    extreme = torch.tensor([-1e4, 0.0, 1e4, -1e4, 1e4], dtype=torch.float64, requires_grad=True)
    capped_precision = capped(information.requires_grad_(), extreme, 1e4)
    capped_precision.sum().backward()
    for value in (capped_precision, extreme.grad, information.grad):
        assert torch.isfinite(value).all()
