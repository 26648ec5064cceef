"""The noise of pixels, fitted last."""

import dataclasses

import numpy as np
import torch
from numpy.testing import assert_allclose

from svae.training.test_joint import FPS, study  # noqa: F401  (a fixture)
from syllabary.records.crops import Crops
from syllabary.svae import pixel_noise, segmentation
from syllabary.svae.model import Model
from syllabary.svae.scores import bound
from syllabary.svae.settings import ModelSettings

KEY = "decoder.log_above_floor"


def model_of(study, shift, outliers=0.0):  # noqa: F811
    """A linear model whose noise is far too large or too small, by a factor exp(shift)."""
    _, reduction, _, fitted = study
    chosen = ModelSettings(prior="slds", network_settings={"outliers": outliers})
    model = Model.of(chosen, fitted, reduction, fps=FPS)
    return dataclasses.replace(model, weights={**model.weights, KEY: model.weights[KEY] + shift})


def test_every_start_ends_at_one_noise_and_a_higher_bound(study):  # noqa: F811
    paths, _, latents, _ = study
    result = []
    for shift in (-1.0, 2.0):
        model = model_of(study, shift)
        better = pixel_noise.fit(model, paths, np.random.default_rng(1))
        with Crops(paths["m0"]) as crops:
            low, high = (bound(m, crops, rng=np.random.default_rng(2)).nats for m in (model, better))
            labels = [segmentation.segment(m, latents["m0"], crops).path for m in (model, better)]
        assert high > low
        assert (labels[0] == labels[1]).all()
        result.append(better.weights[KEY])
    # Without outliers a sweep needs no other: what is left are the draws.
    assert_allclose(result[0], result[1], atol=1e-3)


def test_noise_is_that_of_the_residuals(study):  # noqa: F811
    """Crops have noise of 1 mm, and what three components leave of a moving bump."""
    paths, reduction, _, _ = study
    better = pixel_noise.fit(model_of(study, 1.0), paths, np.random.default_rng(1))
    decoder = better.networks().decoder
    variance = decoder.log_variance().exp().detach()[decoder.used].numpy()
    expected = reduction.pixel_variance_mm2[reduction.used]
    assert abs(np.log(variance.sum() / expected.sum())) < 0.1


def test_outliers_are_not_taken_for_noise(study, tmp_path):  # noqa: F811
    from reduction.test_pca import write

    with Crops(study[0]["m0"]) as crops:
        heights, observed = crops.heights(0, 150), crops.observed(0, 150)
        frame = np.asarray(crops.frame)
    spoilt = np.array(heights)
    rng = np.random.default_rng(4)
    where = rng.random(spoilt.shape) < 0.002
    spoilt[where] = 200
    write(tmp_path / "m0.h5", spoilt, observed, frame=frame, pixel_mm=5.0)
    result = {}
    for outliers in (0.0, 0.002):
        clean, dirty = (
            pixel_noise.fit(model_of(study, 0.0, outliers), {"m0": path}, np.random.default_rng(1))
            for path in (study[0]["m0"], tmp_path / "m0.h5")
        )
        change = dirty.weights[KEY] - clean.weights[KEY]
        result[outliers] = float(torch.quantile(change.flatten(), 0.9))
    # Outliers move the latents a little, which the components' scores are not told of.
    assert result[0.002] < 0.6 < 1.5 < result[0.0]
