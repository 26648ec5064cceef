"""Steps on another device: nothing mixes devices, and every value is the processor's."""

import numpy as np
import pandas as pd
import pytest
import torch

from oracles import far_device
from reduction import registered
from syllabary import steps
from syllabary.records import tables
from syllabary.records.clips import Clips
from syllabary.records.posterior import Posterior
from syllabary.svae import checkpoint

from .conftest import MODEL, REDUCE, Results, rows_of, write_quality

NAMES = ("a", "b", "c")
SHORT = {"restarts": 1, "restart_iterations": 2, "iterations": 2, "latent_iterations": 2}
SHORT |= {"clamped_iterations": 2, "target_duration_s": 0.4, "window_frames": 40, "buffer_frames": 8}
CONV = {
    "network": "conv",
    "network_settings": {"channels": [4], "outliers": 0.01},
    "prior": "slds",
    "registration": True,
    "kinematics": True,
    "subject_offset": True,
    "training": {**SHORT, "epochs": 1},
}
MODELS = {
    "arhmm": MODEL,
    "lds": {"prior": "lds", "training": SHORT},
    "gmm": {"prior": "gmm", "prior_settings": {"states": 3}, "training": SHORT},
    "hmm": {"prior": "hmm", "prior_settings": {"states": 3}, "training": SHORT},
    "slds": {**CONV, "prior_settings": {"states": 4}},
    "discovery": {**CONV, "discovery": {"states": 3, "lags": 2, "restarts": 1, "iterations": 1}},
}
EVALUATE = {"horizons": [1, 3], "rollouts": 8, "targets": 4, "history_frames": 16}
EVALUATE |= {"samples": [1, 8], "clips": 2, "clip_frames": 16}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Crops of three short recordings, and their reduction."""
    results = Results(tmp_path_factory.mktemp("device") / "results", rows_of(NAMES))
    rng = np.random.default_rng(8)
    for name in NAMES:
        place = results.recording(name)
        place.mkdir(parents=True)
        heights, shifts = registered.animals(rng, 100)
        written = registered.write(
            place / f"{name}.h5", heights, scalars=registered.tracked(rng, shifts)
        )
        written.rename(place / "crops.h5")
        write_quality(place / "quality.json", name)
    models = results.folder / "models"
    models.mkdir()
    steps.reduce(
        crops=results.each("crops.h5"), quality=results.each("quality.json"), pca=models / "pca.h5",
        changepoints=models / "changepoints.parquet", settings=REDUCE, seed=1,
    )  # fmt: skip
    return results


def run(study, folder, settings, device):
    """Fit, segment and evaluate; return all that was computed."""
    models = study.folder / "models"
    steps.fit(
        crops=study.each("crops.h5"), quality=study.each("quality.json"), pca=models / "pca.h5",
        changepoints=models / "changepoints.parquet", folder=folder, settings=settings, seed=1,
        device=device,
    )  # fmt: skip
    model = folder / "model.safetensors"
    crops = study.recording("a", "crops.h5")
    steps.segment(crops=crops, model=model, posterior=folder / "posterior.h5", device=device)
    steps.evaluate(
        crops=[crops], model=model, likelihood=folder / "likelihood.parquet", recordings=study.rows,
        settings=EVALUATE, seed=1, device=device,
    )  # fmt: skip
    posterior = Posterior.load(folder / "posterior.h5")
    clips = Clips.load(folder / "clips.h5")
    arrays = {name: tensor.numpy() for name, tensor in checkpoint.load(model)[0].items()}
    arrays |= {name: getattr(posterior, name) for name in ("mean", "sd", "states", "surprise_nats")}
    arrays |= {"poses": clips.poses, "simulated": clips.simulated_heights}
    likelihood = tables.read(folder / "likelihood.parquet", tables.LIKELIHOOD)
    return arrays, likelihood, tables.read(folder / "history.parquet")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_on_another_device_is_that_of_the_processor(study, tmp_path, monkeypatch, name):
    expected = run(study, tmp_path / "near", MODELS[name], "cpu")
    with far_device.install(monkeypatch):
        result = run(study, tmp_path / "far", MODELS[name], "cuda")
    # torch computes convolutions of the processor's own tensors by another library, float32.
    rtol = 1e-4 if "network" in MODELS[name] else 0.0
    for key, value in expected[0].items():
        np.testing.assert_allclose(result[0][key], value, rtol, rtol, err_msg=key)
    for table, wanted in zip(result[1:], expected[1:], strict=True):
        pd.testing.assert_frame_equal(table, wanted, rtol=rtol, atol=rtol)


def test_the_device_refuses_what_a_gpu_refuses():
    with far_device.FarDevice():
        far = torch.arange(3.0).to(far_device.DEVICE)
        assert torch.equal((far + 1)[torch.tensor([2])].cpu(), torch.tensor([3.0]))
        for refused in (
            lambda: far + torch.ones(3),
            lambda: torch.zeros(3)[far.long()],
            lambda: torch.zeros(3).copy_(far),
            lambda: torch.where(far > 1, far, torch.zeros(3)),
            lambda: far.numpy(),
            lambda: far.cumsum(0),
            lambda: torch.bincount(far.long(), far),
        ):
            with pytest.raises(far_device.MixedDevices):
                refused()
