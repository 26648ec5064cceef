import dataclasses

import numpy as np
import pytest
import torch

from svae.training.test_em import FPS, components, small, study, train
from syllabary.errors import BadInput, ShapeError
from syllabary.provenance import Provenance
from syllabary.records.merge_tree import MergeTree
from syllabary.reduction.latents import LatentSeries
from syllabary.svae import checkpoint, segmentation
from syllabary.svae.model import Model
from syllabary.svae.settings import DiscoverySettings

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
    with pytest.raises(BadInput, match="wanted a model of schema 6"):
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


def test_the_tree_is_cut_at_the_merge_threshold(trained, tmp_path):
    model, _ = trained
    assert model.cut_nats == -np.inf
    discovery = DiscoverySettings(merge_threshold_nats=0.25)
    settings = model.settings.model_copy(update={"discovery": discovery})
    cut = dataclasses.replace(model, settings=settings, classes=("walk", ""))
    assert cut.cut_nats == 0.25
    for each in (model, cut):
        each.save(tmp_path / "m.safetensors", MADE)
        tree = MergeTree.load(tmp_path / "m.safetensors")
        assert (tree.cut_nats, tree.classes) == (each.cut_nats, each.classes)
