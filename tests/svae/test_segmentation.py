import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_mutual_info_score

from svae.discovery.conftest import GAPS, QUICK, TARGET_S, simulated
from svae.training.test_em import FPS, components, small, study, train
from syllabary.errors import BadInput, ShapeError
from syllabary.priors import slds
from syllabary.provenance import Provenance
from syllabary.records.merge_tree import MergeTree
from syllabary.reduction.latents import LatentSeries
from syllabary.svae import checkpoint, segmentation
from syllabary.svae.discovery import discovery
from syllabary.svae.model import Model
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training.fitted import Fitted

MADE = Provenance("fit", {}, 1, {}, "code")


@pytest.fixture(scope="module")
def trained():
    series, _ = study(8)
    return Model.of(small(), train(series), components(3), fps=FPS), series["m0"]


def test_a_model_survives_its_file(trained, tmp_path):
    model, series = trained
    path = tmp_path / "model.safetensors"
    model.save(path, MADE)
    again = Model.load(path)
    assert again.settings == model.settings and again.fps == FPS
    assert torch.equal(again.reduction["pca.mean"], model.reduction["pca.mean"])
    again.save(tmp_path / "again.safetensors", MADE)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert Model.provenance_of(path) == MADE
    before, after = segmentation.segment(model, series), segmentation.segment(again, series)
    for left, right in zip(before, after, strict=True):
        np.testing.assert_array_equal(left, right)


def test_other_files_are_not_models(tmp_path):
    path = tmp_path / "state.safetensors"
    checkpoint.save(path, {"a": torch.ones(1)}, {"kind": "training"})
    with pytest.raises(BadInput, match="wanted a model of schema 7"):
        Model.load(path)


def test_any_number_of_threads_gives_the_same_bits(trained):
    model, series = trained
    result = []
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        result.append(segmentation.segment(model, series))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(2)
    for other in result[1:]:
        for left, right in zip(result[0], other, strict=True):
            np.testing.assert_array_equal(left, right)


def test_what_a_recording_gets(trained):
    model, series = trained
    values, observed = series.values.copy(), series.observed.copy()
    values[100:160], observed[100:160] = np.nan, False
    result = segmentation.segment(model, LatentSeries(values, observed))
    assert result.path.shape == (500,) and result.path.min() >= 0
    np.testing.assert_allclose(result.states.sum(1), 1, rtol=1e-6)
    assert (np.flatnonzero(np.isnan(result.surprise_nats)) == [0, *range(100, 161)]).all()
    np.testing.assert_array_equal(result.mean[observed], values[observed].astype(np.float32))
    assert np.isnan(result.mean[~observed]).all() and np.isnan(result.sd[~observed]).all()
    assert (result.sd[observed] == 0).all()
    # Far into the gap only the chain speaks: the posterior is the same on every tick.
    assert np.abs(result.states[135] - result.states[125]).max() < 0.2


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_short_recordings(trained, frames):
    model, series = trained
    result = segmentation.segment(model, LatentSeries(series.values[:frames], series.observed[:frames]))
    assert len(result.path) == len(result.states) == len(result.mean) == frames


def test_nothing_observed(trained):
    model, _ = trained
    result = segmentation.segment(model, LatentSeries(np.full((30, 3), np.nan), np.zeros(30, bool)))
    assert np.isnan(result.surprise_nats).all() and np.isfinite(result.states).all()


def test_latents_of_another_model_say_so(trained):
    model, _ = trained
    with pytest.raises(ShapeError, match=r"the model wants \(T, 3\)"):
        segmentation.segment(model, LatentSeries(np.zeros((9, 4)), np.ones(9, bool)))


def test_a_merge_tree_is_saved_with_the_model(trained, tmp_path):
    model, _ = trained
    assert model.linkage.shape == (0, 4)
    tree = torch.tensor([[0, 2, 0.1, 2], [1, 3, 0.7, 3]], dtype=torch.float64)
    for linkage in (tree, model.linkage):
        dataclasses.replace(model, linkage=linkage).save(tmp_path / "m.safetensors", MADE)
        again = Model.load(tmp_path / "m.safetensors").linkage
        assert again.dtype == torch.float64
        assert torch.equal(again, linkage)
        np.testing.assert_array_equal(MergeTree.load(tmp_path / "m.safetensors").linkage, linkage)


def test_names_of_states_are_read_with_the_tree(trained, tmp_path):
    model, _ = trained
    named = dataclasses.replace(model, classes=("walk", ""))
    for each in (model, named):
        each.save(tmp_path / "m.safetensors", MADE)
        tree = MergeTree.load(tmp_path / "m.safetensors")
        assert tree.classes == each.classes


@pytest.fixture(scope="module")
def discovered():
    """A model of simulated syllables, as discovery leaves it, and two recordings with their states."""
    recordings, truth = simulated()
    result = discovery.find(recordings, QUICK, target_duration_s=TARGET_S, fps=FPS, seed=1)
    settings = ModelSettings(prior="slds", discovery=QUICK)
    start = Fitted(slds.from_autoregression(result.parameters), result.history)
    model = Model.of(settings, start, components(2), fps=FPS, discovered=result)
    return model, recordings, truth


def test_a_discovered_model_labels_a_recording_by_its_syllables(discovered):
    model, recordings, truth = discovered
    series = recordings["r0"]
    result = segmentation.segment(model, series)
    assert adjusted_mutual_info_score(truth["r0"], result.path) > 0.9
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(result.surprise_nats)), GAPS)
    # Of a frame that is seen almost exactly, the mean is the frame; a gap is filled, less surely.
    np.testing.assert_allclose(result.mean[series.observed], series.values[series.observed], atol=0.05)
    assert np.isfinite(result.mean).all() and (result.sd > 0).all()
    assert result.sd[GAPS].min() > 2 * result.sd[series.observed].max()
    np.testing.assert_allclose(result.states.sum(1), 1, rtol=1e-5)


def test_a_frame_that_no_syllable_leads_to_is_a_surprise(discovered):
    model, recordings, _ = discovered
    series = recordings["r0"]
    values = series.values.copy()
    values[1000] += 5
    before = segmentation.segment(model, series).surprise_nats
    after = segmentation.segment(model, series._replace(values=values)).surprise_nats
    assert after[1000] > before[1000] + 20
    np.testing.assert_allclose(after[:1000], before[:1000], rtol=1e-9)


def test_probabilities_are_those_of_fits_to_other_animals(discovered):
    model, recordings, _ = discovered
    size = len(model.agreement)
    assert size == 4
    np.testing.assert_allclose(model.agreement.sum(1), 1)
    alone = dataclasses.replace(model, agreement=torch.zeros((0, 0), dtype=torch.float64))
    left, right = (segmentation.segment(each, recordings["r1"]) for each in (model, alone))
    np.testing.assert_array_equal(left.path, right.path)
    expected = np.zeros_like(left.states)
    for k in range(size):
        expected += right.states[:, k, None] * model.agreement[k].numpy()
    np.testing.assert_allclose(left.states, expected, atol=1e-6)
    # Nothing is more certain than what two fits agree on.
    assert left.states.max() <= float(model.agreement.max()) + 1e-6


def test_a_discovered_model_survives_its_file(discovered, tmp_path):
    model, recordings, _ = discovered
    model = dataclasses.replace(model, classes=("walk", "", "rear", ""))
    model.save(tmp_path / "m.safetensors", MADE)
    again = Model.load(tmp_path / "m.safetensors")
    assert again.settings == model.settings and again.classes == model.classes
    assert torch.equal(again.linkage, model.linkage) and len(again.linkage) == 3
    assert torch.equal(again.agreement, model.agreement)
    for left, right in zip(
        segmentation.segment(model, recordings["r0"]),
        segmentation.segment(again, recordings["r0"]),
        strict=True,
    ):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("frames", [0, 1, 2, 4])
def test_short_recordings_of_a_discovered_model(discovered, frames):
    model, recordings, _ = discovered
    whole = recordings["r0"]
    short = LatentSeries(whole.values[:frames], whole.observed[:frames], whole.information[:frames])
    result = segmentation.segment(model, short)
    assert [len(part) for part in result] == [frames] * 5
    assert np.isfinite(result.states).all() and np.isfinite(result.surprise_nats).all()
