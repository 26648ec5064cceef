"""Networks and prior trained together: gradients, edges of pieces, and what training ends with."""

import numpy as np
import pytest
import torch

from oracles import arhmm as oracle
from syllabary.errors import BadInput, BadSetting
from syllabary.priors import slds
from syllabary.priors.types import GaussianEvidence
from syllabary.provenance import Provenance
from syllabary.records.crops import SCALARS, TRACKING, Crops, CropsWriter
from syllabary.reduction import pca, pca_fitting
from syllabary.reduction.settings import ReduceSettings
from syllabary.svae import latent_evidence, segmentation
from syllabary.svae.model import Model
from syllabary.svae.networks import likelihood
from syllabary.svae.networks.autoencoder import create
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import em, gradients, joint, recordings, windows
from syllabary.svae.training.state import Checkpoint

MADE = Provenance("test", {}, None, {}, "")
SIZE, FPS = (16, 16), 30.0


def write(path, latents, rng):
    """Crops of a bump whose place and height bend with the latents; a gap of two ticks."""
    rows, columns = np.indices(SIZE)
    x, y, z = (np.tanh(part)[:, None, None] for part in latents.T)
    bump = np.exp(-((rows - 7.5 - 3 * x) ** 2 + (columns - 7.5 - 3 * y) ** 2) / 12)
    heights = (30 + 15 * z) * bump + rng.normal(0, 1.0, (len(latents), *SIZE))
    frame = np.arange(len(latents))
    frame[20:22] = -1
    observed = np.broadcast_to((frame >= 0)[:, None, None], heights.shape) & (
        rng.random(heights.shape) > 0.02
    )
    with CropsWriter(path, recording=path.stem, pixel_mm=5.0, size=SIZE) as writer:
        writer.append(np.clip(np.rint(heights), 0, 255).astype(np.uint8), observed)
        nothing = np.full(len(latents), np.nan)
        writer.finish(
            frame=frame,
            time_s=np.arange(len(latents)) / FPS,
            start_time="",
            scalars=dict.fromkeys(SCALARS, nothing),
            tracking={name: nothing if name != "detected" else frame >= 0 for name in TRACKING},
            arena={"mask": np.ones((2, 2), bool)},
            provenance=MADE,
        )


def settings(**values):
    return ModelSettings(
        network="conv",
        network_settings={"channels": [4, 8], "hidden": 16, **values.pop("network_settings", {})},
        prior="slds",
        prior_settings={"states": 6},
        training={
            "restarts": 1, "restart_iterations": 4, "iterations": 4, "latent_iterations": 4, "epochs": 3,
            "window_frames": 40, "buffer_frames": 8, "learning_rate": 3e-3, **values,
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Crops of three recordings, components, latents, and a prior trained on these."""
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("joint")
    dynamics = oracle.draw_dynamics(rng, 4, 3)
    paths = {}
    for i, frames in enumerate((150, 130, 30)):
        path = folder / f"m{i}.h5"
        write(path, oracle.draw(rng, dynamics, frames)[0], rng)
        paths[path.stem] = path
    components = pca_fitting.fit(list(paths.values()), ReduceSettings(components=3, frames=400), seed=1)
    latents = {}
    for name, path in paths.items():
        with Crops(path) as crops:
            latents[name] = pca.scores(components, crops)
    fitted = em.fit(latents, settings(), target_duration_s=0.3, fps=FPS, seed=1)
    return paths, components, latents, fitted


def train(study, chosen, **rest):
    paths, components, latents, fitted = study
    return joint.fit(fitted, paths, latents, chosen, components, fps=FPS, seed=1, **rest)


def test_training_raises_the_bound_and_says_what_it_cost(study):
    fitted, networks = train(study, settings())
    rows = fitted.history[fitted.history.phase == "joint"]
    assert rows["iteration"].tolist() == [0, 1, 2, 3]
    bounds = rows["bound_nats_per_frame"]
    assert bounds.max() > bounds.iloc[0] + 1
    assert (rows["gradient_error"].iloc[:3] < 0.05).all()
    assert (rows["solver_fallbacks"].iloc[:3] <= 0.01).all()
    paths, components, latents, _ = study
    model = Model.of(settings(), fitted, components, networks, fps=FPS)
    with Crops(paths["m0"]) as crops:
        result = segmentation.segment(model, latents["m0"], crops)
        assert np.isfinite(result.mean).all() and (result.sd > 0).all()
        assert np.isnan(result.surprise_nats).nonzero()[0].tolist() == [20, 21]
    with pytest.raises(BadInput, match="give crops, not latents"):
        segmentation.segment(model, latents["m0"])


def test_the_first_pass_is_the_pca_with_its_prior(study, tmp_path):
    fitted, networks = train(study, settings(epochs=1, learning_rate=1e-12, global_rate=1e-12))
    components, latents = study[1], study[2]
    with Crops(study[0]["m1"]) as crops:
        evidence = latent_evidence.of_crops(networks.encoder, crops, latents["m1"])
    expected = latent_evidence.linear(latents["m1"], networks.encoder.max_precision)
    torch.testing.assert_close(evidence.precision, expected.precision, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(evidence.mean, expected.mean, rtol=1e-5, atol=1e-5)
    model = Model.of(settings(), fitted, components, networks, fps=FPS)
    model.save(tmp_path / "model.safetensors", MADE)
    again = Model.load(tmp_path / "model.safetensors")
    for name, value in model.weights.items():
        assert torch.equal(value, again.weights[name]), name


def test_the_same_seed_gives_the_same_weights_and_a_stop_changes_nothing(study, tmp_path):
    each, networks = train(study, settings())
    kept = Checkpoint(tmp_path / "joint.safetensors", "a")

    class Stop(Exception):
        pass

    def stop(row):
        if row["iteration"] == 1:
            raise Stop

    with pytest.raises(Stop):
        train(study, settings(), checkpoint=kept, progress=stop)
    again, others = train(study, settings(), checkpoint=kept)
    assert each.history.equals(again.history)
    for name, value in networks.tensors().items():
        assert torch.equal(value, others.tensors()[name]), name


def test_networks_are_trained_with_the_linear_system_too(study):
    paths, components, latents, _ = study
    chosen = settings().model_copy(update={"prior": "lds", "prior_settings": {}})
    fitted = em.fit(latents, chosen, target_duration_s=0.5, fps=FPS, seed=1)
    after, _ = joint.fit(fitted, paths, latents, chosen, components, fps=FPS, seed=1)
    bounds = after.history[after.history.phase == "joint"]["bound_nats_per_frame"]
    assert bounds.max() > bounds.iloc[0] + 1
    assert len(after.parameters.dynamics.observations) == 1


def test_other_priors_say_that_they_are_not_trained_with_networks(study):
    with pytest.raises(BadSetting, match="prior 'slds' or 'lds', not with 'hmm'"):
        train(study, ModelSettings(network="conv", prior="hmm"))


@pytest.fixture
def problem(study):
    """A whole recording as one batch, in float64, networks a little trained, the prior settled on it."""
    paths, components, latents, fitted = study
    chosen = settings()
    networks = create(chosen, components, np.random.default_rng(3))
    for network in networks:
        network.double()
    rng = np.random.default_rng(4)
    with torch.no_grad():
        for parameter in networks.encoder.parameters():
            parameter += 0.02 * torch.from_numpy(rng.standard_normal(parameter.shape))
        for parameter in networks.decoder.parameters():
            parameter += 0.02 * torch.from_numpy(rng.standard_normal(parameter.shape))
    with Crops(paths["m0"]) as crops:
        heights = torch.from_numpy(crops.heights(0, 60)).double()
        observed = torch.from_numpy(crops.observed(0, 60))
    series = latents["m0"]
    reduced = (torch.from_numpy(series.values[:60]), torch.from_numpy(series.information[:60]))

    def encode():
        return networks.encoder(heights, observed, *reduced)

    mean, precision = (part.detach()[None] for part in encode())
    local = slds.infer(
        fitted.parameters, GaussianEvidence(mean, precision), max_iterations=2000, tolerance=0.0
    )
    batch = gradients.Batch(
        heights[None],
        observed[None],
        torch.ones((1, 60), dtype=torch.bool),
        local.states,
        windows.boundary_of(slds, local, [windows.Window(0, 0, 60, (0, 60))])[
            windows.Window(0, 0, 60, (0, 60))
        ],
        torch.from_numpy(rng.standard_normal((1, 60, 3))),
    )
    return fitted.parameters, networks, encode, batch, chosen.training


def bound(parameters, networks, encode, batch):
    """ELBO of the batch at the settled optimum, by the same draw of the latents."""
    with torch.no_grad():
        mean, precision = (part[None] for part in encode())
        local = slds.infer(
            parameters,
            GaussianEvidence(mean, precision, batch.state_logits),
            start=batch.starts,
            max_iterations=300,
            tolerance=-np.inf,
        )
        drawn = likelihood.sample_marginals(local.means[0], local.covariances[0], batch.normals[0])
        pixels = likelihood.log_likelihood(
            batch.heights[0], batch.observed[0], networks.decoder(drawn),
            networks.decoder.log_variance(), networks.decoder.used,
        )  # fmt: skip
        return float(pixels.sum() - local.divergence.sum())


@pytest.mark.parametrize("clamped", [False, True], ids=["free states", "states clamped, as shipped"])
def test_gradients_of_both_networks_match_differences_of_the_settled_bound(clamped, problem):
    parameters, networks, encode, batch, _ = problem
    for network in networks:
        network.zero_grad()
    mean, precision = encode()
    if clamped:
        logits = torch.from_numpy(np.random.default_rng(5).standard_normal((1, 60, 6)))
        batch = batch._replace(state_logits=logits)
    reduced = GaussianEvidence(mean.detach()[None], precision.detach()[None], batch.state_logits)
    result = gradients.through_optimum(slds, parameters, networks.decoder, reduced, batch, exact=True)
    assert not bool(result.tangent.indefinite.any())
    torch.autograd.backward([mean, precision], [part[0] for part in result.tangent.evidence[:2]])
    rng = np.random.default_rng(6)
    for network in networks:
        weights = [p for p in network.parameters() if p.grad is not None]
        for _ in range(3):
            ways = [torch.from_numpy(rng.standard_normal(p.shape)) for p in weights]
            ours = sum(float((p.grad * way).sum()) for p, way in zip(weights, ways, strict=True))
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    for p, way in zip(weights, ways, strict=True):
                        p += sign * 1e-5 * way
                values.append(bound(parameters, networks, encode, batch))
                with torch.no_grad():
                    for p, way in zip(weights, ways, strict=True):
                        p -= sign * 1e-5 * way
            expected = (values[0] - values[1]) / 2e-5
            # Free states settle by iteration, to a tenth of that bar; clamped ones are inferred exactly.
            assert ours == pytest.approx(expected, rel=1e-5 if clamped else 1e-3)


def test_windows_inferred_with_their_boundary_messages_are_as_in_the_whole(study):
    _, _, latents, fitted = study
    evidence = latent_evidence.linear(latents["m0"], 1e4)
    whole = slds.infer(fitted.parameters, evidence, max_iterations=2000, tolerance=0.0)
    cuts = [window for window in windows.cut([150], 40, 8, np.random.default_rng(1)) if window.stop > 0]
    boundary = windows.boundary_of(slds, whole, cuts)
    covered = torch.zeros(150, dtype=torch.int64)
    for window in cuts:
        rows = slice(window.begin, window.stop)
        covered[window.scored[0] : window.scored[1]] += 1
        result = slds.infer(
            fitted.parameters,
            GaussianEvidence(*(part[None, rows] for part in evidence[:2])),
            start=whole.states[None, rows],
            boundary=boundary[window],
            max_iterations=1,
        )
        torch.testing.assert_close(result.means[0], whole.means[rows], rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(result.covariances[0], whole.covariances[rows], rtol=1e-6, atol=1e-9)
        # Where the first frame's own potential is kept as it was, and all others found again.
        torch.testing.assert_close(result.states[0], whole.states[rows], rtol=1e-5, atol=1e-5)
    assert (covered == 1).all(), "every frame is scored once"


def test_memory_that_is_full_halves_what_is_done_at_once(study, monkeypatch, caplog):
    sizes, gradient = [], joint.JointTrainer._gradient

    def limited(self, state, group, batch, is_first):
        sizes.append(len(group))
        if len(group) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return gradient(self, state, group, batch, is_first)

    monkeypatch.setattr(joint.JointTrainer, "_gradient", limited)
    fitted, _ = train(study, settings(epochs=1))
    whole = [size for size in sizes if size > 1]
    assert whole == sorted(whole, reverse=True) and len(whole) <= 2, "it stays halved"
    assert sizes.count(1) >= 8, "every window is learned from"
    assert "the GPU's memory is full: goes on with 1 windows at once, not 2" in caplog.text
    assert np.isfinite(fitted.history["bound_nats_per_frame"]).all()


def test_encoding_in_smaller_blocks_changes_nothing(study, monkeypatch):
    paths, components, latents, _ = study
    encoder = create(settings(), components, np.random.default_rng(0)).encoder
    with Crops(paths["m1"]) as crops:
        expected = latent_evidence.of_crops(encoder, crops, latents["m1"])
        forward = type(encoder).forward

        def limited(self, heights, *rest):
            if len(heights) > 40:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(self, heights, *rest)

        monkeypatch.setattr(type(encoder), "forward", limited)
        result = latent_evidence.of_crops(encoder, crops, latents["m1"])
    torch.testing.assert_close(result.mean, expected.mean)
    torch.testing.assert_close(result.precision, expected.precision)


def test_crops_are_read_while_the_last_ones_are_in_use():
    log = []

    def read(item):
        log.append(("read", item))
        return 10 * item

    for item, value in recordings.read_ahead(read, [1, 2, 3]):
        while item < 3 and ("read", item + 1) not in log:
            pass  # the next one is read before this one is done with
        log.append(("used", item))
        assert value == 10 * item
    assert [item for what, item in log if what == "used"] == [1, 2, 3]
    assert list(recordings.read_ahead(read, [])) == []
