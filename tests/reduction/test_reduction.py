"""Reductions of crops to latents, and models that are trained on them."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from reduction.registered import FPS, PIXEL_MM, PROVENANCE, animals, tracked, write
from syllabary.errors import BadInput
from syllabary.priors import slds
from syllabary.priors.types import GaussianEvidence
from syllabary.records.crops import Crops
from syllabary.reduction import reduction
from syllabary.reduction.latents import LatentSeries
from syllabary.reduction.settings import ReduceSettings
from syllabary.svae import clips, latent_evidence, scores, segmentation
from syllabary.svae.model import Model
from syllabary.svae.networks.likelihood import expected_log_density, log_likelihood, sample_marginals
from syllabary.svae.settings import EvaluateSettings, ModelSettings
from syllabary.svae.training import em, gradients, joint, windows

REDUCE = ReduceSettings(components=3, frames=900, shift_sd_mm=PIXEL_MM)
ALL = {"registration": True, "kinematics": True, "subject_offset": True}
GAP = 40


def settings(network="conv", **rest):
    sizes = {"channels": [4, 8], "hidden": 16, "outliers": 0.002} if network == "conv" else {}
    return ModelSettings(
        network=network,
        network_settings=sizes,
        prior="slds",
        prior_settings={"states": 4},
        training={
            "restarts": 1, "restart_iterations": 3, "iterations": 3, "latent_iterations": 3, "epochs": 2,
            "window_frames": 64, "buffer_frames": 8,
        },
        **(ALL | rest),
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Crops of three tracked recordings with gaps, and both reductions in a file."""
    rng = np.random.default_rng(4)
    folder = tmp_path_factory.mktemp("reduction")
    paths = {}
    for i in range(3):
        heights, shifts = animals(rng, 300)
        frame = np.arange(300)
        frame[GAP : GAP + 2] = -1
        observed = np.broadcast_to((frame >= 0)[:, None, None], heights.shape) & (
            rng.random(heights.shape) > 0.02
        )
        path = folder / f"m{i}.h5"
        paths[path.stem] = write(path, heights, observed, frame=frame, scalars=tracked(rng, shifts))
    reductions = reduction.fit(list(paths.values()), REDUCE, seed=1)
    reduction.save(folder / "pca.h5", reductions, PROVENANCE)
    return paths, folder / "pca.h5", reductions


def load(path, settings):
    return reduction.load(
        path,
        registration=settings.registration,
        kinematics=settings.kinematics,
        subject_offset=settings.subject_offset,
    )


def latents_of(study, chosen):
    reducer = load(study[1], chosen)
    series = {}
    for name, path in study[0].items():
        with Crops(path) as crops:
            series[name] = reducer.latents(crops)
    return reducer, series


def test_save_and_load_round_trip_and_a_model_gets_the_steps_it_uses(study):
    _, path, reductions = study
    assert list(reductions) == ["plain", "registered"]
    for group, reducer in reductions.items():
        again = load(path, ModelSettings(registration=group == "registered", kinematics=True))
        for name, value in reducer.tensors().items():
            assert_array_equal(again.tensors()[name], value, err_msg=name)
    reduction.save(path.with_name("again.h5"), reductions, PROVENANCE)
    assert path.read_bytes() == path.with_name("again.h5").read_bytes()
    plain = load(path, ModelSettings())
    assert plain.template is None and not plain.subject_offset and plain.motion_mean.shape == (0,)
    assert (plain.pose_noise == 0).all()
    assert plain.outlier_sd == 0 < reductions["registered"].outlier_sd == ReduceSettings().outlier_sd
    with pytest.raises(BadInput, match="tensors of a reduction are missing: subject_offset"):
        tensors = plain.tensors()
        del tensors["subject_offset"]
        reduction.Reduction.from_tensors(tensors)


def test_latents_are_pose_and_motion_with_their_noise(study):
    reducer, series = latents_of(study, ModelSettings(**ALL))
    full = series["m0"]
    assert full.values.shape == full.information.shape == (300, 6)
    assert (full.pose, full.motion, full.subject_offset.shape, full.shifts.shape) == (
        3,
        3,
        (3,),
        (300, 3),
    )
    missing = np.flatnonzero(np.isnan(full.values[:, 0])).tolist()
    assert missing == np.flatnonzero(~full.observed).tolist() == [GAP, GAP + 1]
    assert np.flatnonzero(np.isnan(full.values[:, 3])).tolist() == [0]
    assert_array_equal(full.information > 0, np.isfinite(full.values) & full.observed[:, None])
    assert (full.information[:, :3] <= 1 / reducer.pose_noise).all()
    assert_allclose(np.unique(full.information[1:GAP, 3:], axis=0), [1 / reducer.motion_noise])
    bare, plain = latents_of(study, ModelSettings(registration=True))[1]["m0"], full
    assert_allclose(bare.values, plain.values[:, :3] + full.subject_offset, atol=1e-12)
    assert np.abs(np.nanmean(full.values[:, :3], 0)).max() <= np.abs(np.nanmean(bare.values, 0)).max()
    with Crops(study[0]["m0"]) as crops:
        again = reducer.latents(crops, chunk=100)
    for left, right in zip(full, again, strict=True):
        assert_array_equal(left, right)


def test_registration_lowers_the_noise_of_pose_and_motion(study):
    reductions = study[2]
    assert (reductions["registered"].motion_scale < 0.8 * reductions["plain"].motion_scale)[:2].all()
    noisy = latents_of(study, ModelSettings())[1]
    quiet = latents_of(study, ModelSettings(registration=True))[1]
    noise = [reduction.noise_of([s.values for s in part.values()]) for part in (noisy, quiet)]
    assert noise[1].mean() < 0.3 * noise[0].mean()


def test_noise_is_estimated_despite_movement(rng):
    smooth = np.sin(np.arange(20_000) / 30)
    values = np.stack([smooth + 0.2 * rng.standard_normal(20_000), 3 * smooth], 1)
    values[5000:5003] = np.nan
    assert_allclose(reduction.noise_of([values]), [0.04, 0], atol=0.002)
    assert_array_equal(reduction.noise_of([values[:2], values[5000:5003]]), [0, 0])


def test_without_tracking_there_is_no_motion(study, tmp_path, rng):
    paths = [write(tmp_path / f"{i}.h5", animals(rng, 120)[0]) for i in range(2)]
    reductions = reduction.fit(paths, REDUCE, seed=1)
    for fitted in reductions.values():
        assert fitted.motion_mean.shape == fitted.motion_noise.shape == (0,)
    chosen = reductions["registered"].of_model(kinematics=True, subject_offset=settings().subject_offset)
    with Crops(paths[0]) as crops:
        series = chosen.latents(crops)
    assert series.values.shape == (120, 3) and series.motion == 0
    # A model with motion accepts a recording without tracking, whose motion is then missing.
    trained, _ = latents_of(study, settings())
    with Crops(paths[0]) as crops:
        series = trained.latents(crops)
    assert series.values.shape == (120, 6) and np.isnan(series.values[:, 3:]).all()
    evidence = latent_evidence.linear(series, 1e4)
    assert (evidence.precision[:, :3] > 0).all() and (evidence.precision[:, 3:] == 0).all()
    assert torch.isfinite(evidence.mean).all()


def test_short_gaps_are_bridged_where_a_model_wants_it():
    values = np.arange(20.0)[:, None] * [1, 10]
    observed = np.ones(20, bool)
    for gap in ([3], [7, 8, 9], [12, 13, 14, 15], [19]):
        values[gap], observed[gap] = np.nan, False
    values[0, 1] = np.nan
    series = LatentSeries(values, observed)
    bare = latent_evidence.points(series)
    assert (~bare.observed).nonzero().flatten().tolist() == [0, 3, 7, 8, 9, 12, 13, 14, 15, 19]
    filled = latent_evidence.points(series, bridge=3)
    assert (~filled.observed).nonzero().flatten().tolist() == [0, 12, 13, 14, 15, 19]
    assert_allclose(filled.latents[3].numpy(), [3, 30])
    assert_allclose(filled.latents[8].numpy(), [8, 80])
    assert torch.isnan(filled.latents[~filled.observed]).all()


@pytest.fixture(scope="module")
def trained(study):
    """A model with networks, of registered crops with motion and subject offset."""
    chosen = settings()
    reducer, series = latents_of(study, chosen)
    fitted = em.fit(series, chosen, target_duration_s=0.5, fps=FPS, seed=1)
    fitted, networks = joint.fit(fitted, study[0], series, chosen, reducer.pca, fps=FPS, seed=1)
    return Model.of(chosen, fitted, reducer, networks, fps=FPS), fitted.history


def test_a_model_of_registered_crops_is_trained_saved_and_used(study, trained, tmp_path):
    model, history = trained
    rows = history[history.phase == "joint"]
    bounds = rows["bound_nats_per_frame"]
    assert bounds.max() > bounds.iloc[0] and (rows["gradient_error"].iloc[:2] < 0.1).all()
    model.save(tmp_path / "model.safetensors", PROVENANCE)
    again = Model.load(tmp_path / "model.safetensors")
    with Crops(study[0]["m1"]) as crops:
        segmentations = [segmentation.segment(m, m.latents(crops), crops) for m in (model, again)]
        for left, right in zip(*segmentations, strict=True):
            assert_array_equal(left, right)
        assert segmentations[0].mean.shape == (300, 6) and (segmentations[0].sd > 0).all()
        assert np.isnan(segmentations[0].surprise_nats).nonzero()[0].tolist() == [GAP, GAP + 1]
        table = scores.table(
            model,
            crops,
            EvaluateSettings(clips=1, clip_frames=16, samples=[1], horizons=[1], rollouts=4, targets=2),
            np.random.default_rng(1),
        )
        assert np.isfinite(table["nats_per_frame"]).all()
    movies = clips.decode(model, seed=1)
    assert movies.latents.shape[-1] == 6 and movies.poses.shape[2:] == model.pca().mean.shape


def test_the_decoder_adds_the_subject_offset(study, trained):
    model, _ = trained
    with Crops(study[0]["m0"]) as crops:
        recording = scores.open_recording(model, crops)
        view = recording.pixels(torch.arange(50))
        right = scores.observation_models.log_density(
            view, recording.evidence.mean[:GAP].double(), torch.arange(GAP)
        )
        wrong = view._replace(subject_offset=view.subject_offset + 1.0)
        wrong = scores.observation_models.log_density(
            wrong, recording.evidence.mean[:GAP].double(), torch.arange(GAP)
        )
        assert (recording.subject_offset() != 0).all()
    assert (right > wrong).double().mean() > 0.9


def test_motion_counts_in_the_bound(study):
    """The bound of a prior with noisy latents includes pose and motion."""
    chosen = settings(network="pca")
    _, series = latents_of(study, chosen)
    fitted = em.fit(series, chosen, target_duration_s=0.5, fps=FPS, seed=1)
    measured = latent_evidence.reduced(series["m0"], 1e4)
    local = slds.infer(fitted.parameters, latent_evidence.linear(series["m0"], 1e4))
    spread = local.covariances.diagonal(dim1=-2, dim2=-1)
    total = 0.0
    for t, d in zip(*np.nonzero(measured.precision.numpy()), strict=True):
        r = float(measured.precision[t, d])
        square = float(measured.motion[t, d] - local.means[t, 3 + d]) ** 2 + float(spread[t, 3 + d])
        total += 0.5 * (np.log(r / (2 * np.pi)) - r * square)
    density = expected_log_density(measured.motion, measured.precision, local.means, local.covariances)
    assert density == pytest.approx(total, rel=1e-9)


def test_gradients_match_differences_of_a_bound_with_motion_and_offset(study, trained):
    """Networks do not put out motion, but it influences the states and so all gradients."""
    model, _ = trained
    networks = model.networks()
    for network in networks:
        network.double()
    rows = slice(GAP - 20, GAP + 30)
    with Crops(study[0]["m0"]) as crops:
        series = model.latents(crops)
        measured = latent_evidence.reduced(series, 1e4)
        moved = latent_evidence.registration.register(crops, series.shifts)
        heights, observed = (torch.from_numpy(part) for part in moved.pair(rows.start, rows.stop))
    values, information, motion, motion_precision = (part[rows] for part in measured)
    subject_offset = latent_evidence.subject_offset(series)
    normals = torch.from_numpy(np.random.default_rng(3).standard_normal((50, 3)))

    def encode():
        mean, precision = networks.encoder(heights.double(), observed, values, information)
        return torch.cat([mean, motion], -1), torch.cat([precision, motion_precision], -1)

    def infer(start=None):
        evidence = GaussianEvidence(*(part.detach()[None] for part in encode()))
        return slds.infer(model.parameters, evidence, start=start, max_iterations=2000, tolerance=0.0)

    local = infer()
    window = windows.Window(0, 0, 50, (0, 50))
    batch = gradients.Batch(
        heights.double()[None],
        observed[None],
        torch.ones((1, 50), dtype=torch.bool),
        local.states,
        windows.boundary_of(slds, local, [window])[window],
        normals[None],
        subject_offset.expand(1, 1, 3),
    )
    mean, precision = encode()
    evidence = GaussianEvidence(mean.detach()[None], precision.detach()[None])
    gradient = gradients.through_optimum(
        slds, model.parameters, networks.decoder, evidence, batch, exact=True
    )
    torch.autograd.backward([mean, precision], [part[0] for part in gradient.tangent.evidence[:2]])

    @torch.no_grad()
    def bound():
        local = infer(batch.starts)
        drawn = sample_marginals(local.means[0, :, :3], local.covariances[0, :, :3, :3], normals)
        decoder = networks.decoder
        pixels = log_likelihood(
            batch.heights[0],
            observed,
            decoder(drawn + subject_offset),
            decoder.log_variance(),
            decoder.used,
            decoder.outliers,
        )
        moving = expected_log_density(motion, motion_precision, local.means[0], local.covariances[0])
        return float(pixels.sum()) + moving - float(local.divergence.sum())

    rng = np.random.default_rng(6)
    for network in networks:
        weights = [p for p in network.parameters() if p.grad is not None]
        directions = [torch.from_numpy(rng.standard_normal(p.shape)) for p in weights]
        slope = sum(float((p.grad * way).sum()) for p, way in zip(weights, directions, strict=True))
        sides = []
        for sign in (1, -2):
            with torch.no_grad():
                for p, way in zip(weights, directions, strict=True):
                    p += sign * 1e-5 * way
            sides.append(bound())
        # Differences of the bound have an error of less than a tenth of the tolerance.
        assert slope == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-3)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_short_recordings(study, trained, tmp_path, frames):
    heights, shifts = animals(np.random.default_rng(1), 3)
    scalars = {name: column[:frames] for name, column in tracked(None, shifts).items()}
    with Crops(write(tmp_path / "m.h5", heights[:frames], scalars=scalars)) as crops:
        series = trained[0].latents(crops)
        mean = segmentation.segment(trained[0], series, crops).mean
    assert series.values.shape == mean.shape == (frames, 6)
    assert np.isfinite(series.values[:, :3]).all() and np.isfinite(mean).all()


def test_components_that_were_cut_short_are_refused_in_one_sentence(study, tmp_path):
    short = tmp_path / "pca.h5"
    short.write_bytes(study[1].read_bytes()[:500])
    with pytest.raises(BadInput, match=r"pca\.h5: not whole .* run 'syllabary reduce' again"):
        load(short, ModelSettings())
