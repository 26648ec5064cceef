import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_mutual_info_score

from oracles import arhmm as oracle
from syllabary.errors import BadInput, BadSetting, ShapeError, UnknownName
from syllabary.reduction import pca
from syllabary.reduction.latents import LatentSeries
from syllabary.svae import checkpoint, segmentation
from syllabary.svae.choices import prior_settings
from syllabary.svae.model import Model
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import durations, em
from syllabary.svae.training.stages import POINTS, stage_of
from syllabary.svae.training.state import Checkpoint

FPS = 30.0


def study(seed, states=4, size=3, recordings=3, frames=500):
    """Latents of recordings, and their true states."""
    rng = np.random.default_rng(seed)
    dynamics = oracle.draw_dynamics(rng, states, size)
    drawn = [oracle.draw(rng, dynamics, frames - 20 * i) for i in range(recordings)]
    latents = oracle.whiten([x for x, _ in drawn])
    series = {f"m{i}": LatentSeries(x, np.ones(len(x), bool)) for i, x in enumerate(latents)}
    return series, [z for _, z in drawn]


def components(size):
    """A reduction to so many latents, for models whose latents were not made of crops."""
    pixels = (4, 8)
    return pca.Pca(
        mean=np.full(pixels, 20.0),
        components=np.eye(size, 32).reshape(size, *pixels),
        scale=np.full(size, 50.0),
        explained_variance_ratio=np.full(size, 1 / size),
        noise_variance_mm2=np.asarray(4.0),
        pixel_variance_mm2=np.full(pixels, 4.0),
        used=np.ones(pixels, bool),
        pixel_mm=np.asarray(1.85),
        min_observed_fraction=np.asarray(0.5),
    )


def small(**training_settings):
    values = {"restarts": 2, "restart_iterations": 8, "iterations": 16, **training_settings}
    return ModelSettings(prior_settings={"states": 8, "lags": 1}, training=values)


def train(series, settings=None, **rest):
    options = {"target_duration_s": 0.3, "fps": FPS, "seed": 1, **rest}
    return em.fit(series, settings or small(), **options)


def tensors_of(fitted):
    return checkpoint.flatten(fitted.parameters)


def assert_same(each, other):
    left, right = tensors_of(each), tensors_of(other)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]), name
    assert each.history.equals(other.history)


def test_finds_twelve_known_states():
    series, states = study(7, states=12, size=10, recordings=4, frames=2000)
    true_s = durations.median(np.concatenate([durations.of_path(z) for z in states])) / FPS
    settings = ModelSettings(training={"restarts": 1, "restart_iterations": 20})
    fitted = train(series, settings, target_duration_s=true_s)
    model = Model.of(settings, fitted, components(10), fps=FPS)
    paths = [segmentation.segment(model, series[name]).path for name in series]
    result, expected = np.concatenate(paths), np.concatenate(states)
    assert adjusted_mutual_info_score(expected, result) >= 0.9
    usage = np.bincount(result, minlength=30)
    assert (np.diff(usage) <= 0).all()
    last = fitted.history.iloc[-1]
    assert last.states_used == 12
    assert last.median_duration_s == pytest.approx(true_s, rel=0.05)


@pytest.mark.parametrize(("fps", "bridged"), [(15.0, 3), (30.0, 6), (29.97, 6), (60.0, 12)])
def test_gaps_of_the_same_time_are_bridged_at_every_rate(fps, bridged):
    values = np.linspace(0, 1, 40)[:, None] * np.ones(2)
    settings = ModelSettings(prior_settings={"states": 2, "lags": 1}, bridge_s=0.2)
    for gap in (bridged, bridged + 1):
        observed = np.ones(40, bool)
        observed[10 : 10 + gap] = False
        series = LatentSeries(np.where(observed[:, None], values, np.nan), observed)
        [evidence] = stage_of(settings, POINTS, {"a": series}, fps).evidence
        assert int((~evidence.observed).sum()) == (0 if gap == bridged else gap)


def test_history_has_every_iteration_and_the_bound_rises_while_stickiness_stays():
    fitted = train(study(1)[0])
    assert list(fitted.history) == [
        "restart", "phase", "iteration", "bound_nats_per_frame", "kappa", "states_used",
        "median_duration_s",
    ]  # fmt: skip
    restarts = fitted.history[fitted.history.phase == "restart"]
    assert set(restarts.restart) == {0, 1}
    for _, rows in restarts.groupby("restart"):
        assert rows.kappa.nunique() == 1
        assert rows.bound_nats_per_frame.iloc[-1] > rows.bound_nats_per_frame.iloc[0]


@pytest.mark.parametrize("factor", [0.7, 2.0])
def test_stickiness_is_solved_for_another_duration(factor):
    series, states = study(2, frames=900)
    natural = durations.median(np.concatenate([durations.of_path(z) for z in states])) / FPS
    settings = small(iterations=60)
    fitted = train(series, settings, target_duration_s=natural * factor)
    last = fitted.history.iloc[-1]
    # Evidence this clear does not let bouts be shorter than they are, however little staying pays.
    at_the_end = factor < 1 and last.kappa <= durations.KAPPA_RANGE[0]
    assert last.median_duration_s == pytest.approx(natural * factor, rel=0.05) or at_the_end


@pytest.mark.parametrize("limit", [40.0, 1e5])
def test_stickiness_stays_below_its_limit(limit):
    """Bouts of 10 s ask for more; the first guess is 1440, a pseudo-count for each frame."""
    series, _ = study(2)
    options = {"target_duration_s": 10.0, "max_kappa": limit}
    fitted = train(series, small(restarts=1), **options)
    kappas = fitted.history["kappa"]
    assert 0 < kappas.max() <= limit * (1 + 1e-9)
    # It goes as far as it may.
    assert kappas.iloc[-1] == pytest.approx(limit)
    assert float(fitted.parameters.kappa) == pytest.approx(limit)


def test_threads_change_nothing():
    series = study(3)[0]
    assert_same(train(series), train(dict(reversed(series.items())), workers=3))


class Killed(Exception):
    pass


@pytest.mark.parametrize("iterations", [7, 23, 41])
def test_stopped_training_goes_on_to_the_same_bits(tmp_path, iterations):
    series = study(4)[0]
    whole = train(series)
    rows = []

    def stop(row):
        rows.append(row)
        if len(rows) == iterations:
            raise Killed

    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        train(series, checkpoint=Checkpoint(path, "a"), progress=stop)
    resumed = []
    again = train(series, checkpoint=Checkpoint(path, "a"), progress=resumed.append)
    assert len(resumed) < len(whole.history)
    assert_same(again, whole)


def test_killed_training_goes_on_to_the_same_bits(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    code = (
        "import os, signal\nfrom pathlib import Path\n"
        "from svae.training.test_em import Checkpoint, study, train\n"
        "count = [0]\n"
        "def stop(row):\n"
        "    count[0] += 1\n"
        "    if count[0] == 18: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"train(study(4)[0], checkpoint=Checkpoint(Path({str(path)!r}), 'a'), progress=stop)\n"
    )
    tests = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert_same(train(study(4)[0], checkpoint=Checkpoint(path, "a")), train(study(4)[0]))


def test_checkpoint_of_another_training_is_not_used(tmp_path, caplog):
    series = study(5)[0]
    path = tmp_path / "checkpoint.safetensors"
    train(series, checkpoint=Checkpoint(path, "a"), seed=2)
    rows = []
    with caplog.at_level(logging.WARNING):
        train(series, checkpoint=Checkpoint(path, "b"), progress=rows.append)
    assert "of another training" in caplog.text and rows[0]["iteration"] == 0
    path.write_bytes(path.read_bytes()[:1000])
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        train(series, checkpoint=Checkpoint(path, "b"))
    assert "Training starts afresh" in caplog.text


def test_odd_recordings_do_no_harm():
    series = study(6)[0]
    series["empty"] = LatentSeries(np.zeros((0, 3)), np.zeros(0, bool))
    series["one"] = LatentSeries(np.zeros((1, 3)), np.ones(1, bool))
    series["dark"] = LatentSeries(np.full((40, 3), np.nan), np.zeros(40, bool))
    fitted = train(series)
    assert all(torch.isfinite(value).all() for value in tensors_of(fitted).values())
    assert np.isfinite(fitted.history.bound_nats_per_frame).all()


def test_latents_that_never_move_and_more_states_than_frames():
    still = {"m": LatentSeries(np.zeros((60, 3)), np.ones(60, bool))}
    short = {"m": LatentSeries(np.random.default_rng(0).standard_normal((6, 3)), np.ones(6, bool))}
    for series in (still, short):
        fitted = train(series, small(restart_iterations=3, iterations=3))
        assert all(torch.isfinite(value).all() for value in tensors_of(fitted).values())


def test_what_cannot_be_trained_says_so():
    dark = {"m": LatentSeries(np.full((40, 3), np.nan), np.zeros(40, bool))}
    with pytest.raises(BadInput, match="nothing to learn dynamics from"):
        train(dark)
    with pytest.raises(BadInput, match="no training recording"):
        train({})
    with pytest.raises(BadSetting, match="target_duration_s"):
        train(study(1)[0], target_duration_s=float("nan"))
    mixed = study(1)[0] | {"z": LatentSeries(np.zeros((5, 2)), np.ones(5, bool))}
    with pytest.raises(ShapeError, match="same D"):
        train(mixed)


def test_choices_of_a_prior_are_checked():
    with pytest.raises(UnknownName, match="did you mean 'arhmm'"):
        prior_settings(ModelSettings(prior="arhm"), "models.x")
    with pytest.raises(BadSetting, match=r"models\.x\.prior_settings\.lag; did you mean 'lags'"):
        prior_settings(ModelSettings(prior_settings={"lag": 2}), "models.x")


def test_median_duration_is_continuous():
    assert durations.median(np.array([4, 4, 4])) == 4
    assert durations.median(np.array([2, 4])) == pytest.approx(2.5)
    assert durations.median(np.array([1, 4, 4, 4, 9])) == pytest.approx(4)
    runs = np.random.default_rng(0).geometric(0.1, 20_001)
    assert abs(durations.median(runs) - np.median(runs)) <= 0.5
    assert durations.of_path(np.array([3, 3, 1, 1, 1, 3])).tolist() == [2, 3, 1]


def test_stickiness_search_closes_in_on_a_root():
    def off(kappa):
        return 0.07 * np.log(kappa) - 0.9

    probes = [[np.log(100.0), off(100.0)]]
    for _ in range(6):
        kappa = durations.next_kappa(probes)
        probes.append([np.log(kappa), off(kappa)])
    assert min(abs(p[1]) for p in probes) < 0.01


@pytest.mark.parametrize("prior", ["gmm", "hmm", "lds", "slds"])
def test_every_prior_that_sees_noise_is_trained_and_segments(prior):
    series = {
        name: LatentSeries(each.values, each.observed, np.full(each.values.shape, 400.0))
        for name, each in study(3, frames=200)[0].items()
    }
    chosen = {} if prior == "lds" else {"states": 6}
    settings = ModelSettings(
        prior=prior,
        prior_settings=chosen,
        training={"restarts": 1, "restart_iterations": 4, "iterations": 6, "latent_iterations": 6},
    )
    fitted = train(series, settings)
    last = fitted.history["phase"].iloc[-1]
    assert last == ("latents" if prior in ("lds", "slds") else "polish")
    bounds = fitted.history.loc[fitted.history["phase"] == last, "bound_nats_per_frame"]
    kappas = fitted.history.loc[fitted.history["phase"] == last, "kappa"]
    rises = np.diff(bounds)[np.diff(kappas) == 0]
    # Starts are kept with two digits, and turned a few times before they are judged.
    assert (rises > -1e-3).all()
    model = Model.of(settings, fitted, components(3), fps=FPS)
    result = segmentation.segment(model, series["m1"])
    assert np.isfinite(result.mean).all() and (result.sd > 0).all() and result.path.min() >= 0
    blank = LatentSeries(np.full((40, 3), np.nan), np.zeros(40, bool), np.zeros((40, 3)))
    nothing = segmentation.segment(model, blank)
    assert np.isnan(nothing.surprise_nats).all() and np.isfinite(nothing.states).all()


@pytest.mark.parametrize(("share", "is_warned"), [(0.5, False), (1.0, False), (1.01, True), (1e4, True)])
def test_a_stickiness_that_no_data_could_show_is_said(share, is_warned, caplog):
    durations.judge(share * durations.BELIEVABLE * 9000, 9000, 0.4)
    assert ("too sure" in caplog.text) == is_warned
