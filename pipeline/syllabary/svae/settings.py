"""Settings of the stages of models: `fit`, `segment`, `evaluate`."""

from typing import Any

from ..settings import Field, Settings

__all__ = [
    "DiscoverySettings",
    "EvaluateSettings",
    "ModelSettings",
    "NetworkSettings",
    "TrainingSettings",
]


class TrainingSettings(Settings):
    """Training of the prior and of the networks."""

    target_duration_s: float | None = Field(
        None,
        gt=0,
        description="Median duration of a syllable that training aims at, s; null = that of the "
        "model-free segments.",
    )
    restarts: int = Field(
        4,
        ge=1,
        description="Starts from different clusters; the one with the highest bound is kept. More "
        "starts are slower and more reliable.",
    )
    restart_iterations: int = Field(25, ge=1, description="EM iterations of each start.")
    iterations: int = Field(
        100, ge=0, description="Largest number of EM iterations after the best start was chosen."
    )
    tolerance_nats: float = Field(
        1e-4,
        gt=0,
        description="Training ends when an iteration raises the bound by less than this, nats per "
        "frame.",
    )
    local_iterations: int = Field(
        6,
        ge=1,
        description="Largest number of iterations between latents and states within an EM iteration.",
    )
    latent_iterations: int = Field(
        40, ge=1, description="Largest number of EM iterations with uncertain latents."
    )
    clamped_iterations: int = Field(
        40,
        ge=1,
        description="Largest number of EM iterations that fit dynamics of one lag to given states, "
        "before the networks are trained with them.",
    )
    epochs: int = Field(
        8, ge=0, description="Passes of the networks over the training frames; 0 keeps the PCA."
    )
    window_frames: int = Field(
        128,
        ge=8,
        description="Length of the windows that the networks are trained on, frames of the study's "
        "clock.",
    )
    buffer_frames: int = Field(
        16,
        ge=0,
        description="Frames of the study's clock on both sides of a window that are inferred but not "
        "scored.",
    )
    learning_rate: float = Field(1e-3, gt=0, description="Peak learning rate of the networks.")
    global_rate: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Step size of the prior's parameters for one batch, as a fraction of a full EM "
        "step.",
    )


class DiscoverySettings(Settings):
    """How syllables are found: an AR-HMM of many states, whose states are merged one by one."""

    states: int = Field(50, ge=1, le=1000, description="Number of states to begin with.")
    syllables: int | None = Field(
        None,
        ge=1,
        description="Number of states to end with; null = the number that fits of different animals "
        "agree on.",
    )
    lags: int = Field(
        3,
        ge=1,
        le=20,
        description="Past frames of the study's clock from which the model predicts a frame; 3 were "
        "chosen at 30 frames per second.",
    )
    restarts: int = Field(
        1, ge=1, description="Starts of the AR-HMM; the one with the highest bound is kept."
    )
    iterations: int = Field(
        20,
        ge=0,
        description="Largest number of EM iterations after the best start was chosen.",
    )
    max_stickiness: float = Field(
        100.0,
        gt=0,
        description="Largest stickiness, pseudo-counts per training frame. Raise it for longer bouts.",
    )
    bridge_s: float = Field(
        0.2,
        ge=0,
        description="Longest gap of missing frames that is interpolated, s.",
    )


class NetworkSettings(Settings):
    """Settings of all networks."""

    max_precision: float = Field(
        1e4,
        gt=0,
        description="precision of a latent from its frame alone, at most; latents have variance 1",
    )
    noise_floor_mm: float = Field(
        1.0, gt=0, description="SD of the noise of a pixel, mm, below which training cannot bring it"
    )
    outliers: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of pixels that are none of the animal's (cables, reflections); 0 = Gaussian",
    )


class ModelSettings(Settings):
    """A model: how frames become latents, and how latents move."""

    network: str = Field("pca", description="Encoder and decoder: the name of a file in svae/networks/.")
    network_settings: dict[str, Any] = Field(
        {}, description="Settings of the network, by name; see the settings of the network."
    )
    prior: str = Field("arhmm", description="Dynamics of the latents: the name of a file in priors/.")
    prior_settings: dict[str, Any] = Field(
        {}, description="Settings of the prior, by name; see the settings of the prior."
    )
    registration: bool = Field(
        False,
        description="Align every crop with a template before the latents are computed, which "
        "removes errors of tracking.",
    )
    kinematics: bool = Field(
        False, description="Add forward and sideways speed and turning to the latents."
    )
    subject_offset: bool = Field(False, description="Subtract the mean pose of each recording.")
    bridge_s: float = Field(
        0.0,
        ge=0,
        description="Longest gap of missing frames that is interpolated where latents are points, s; "
        "0 = none.",
    )
    discovery: DiscoverySettings | None = Field(
        None,
        description="How syllables are found before the model is trained; null = by the prior itself.",
    )
    training: TrainingSettings = Field(TrainingSettings(), description="How the model is trained.")
    path: str | None = Field(
        None,
        description="File of a model trained elsewhere (model.safetensors); nothing is fitted then."
        " null = fit this model.",
    )


class EvaluateSettings(Settings):
    """Log likelihoods of held-out recordings, comparable between models."""

    draws: int = Field(4, ge=1, description="Samples of a frame's latents in the bound.")
    clips: int = Field(
        4, ge=1, description="Largest number of clips of a recording that are scored by sampling."
    )
    clip_frames: int = Field(64, ge=2, description="Length of a clip, frames of the study's clock.")
    samples: list[int] = Field(
        [1, 16, 64],
        min_length=1,
        description="Numbers of samples of a clip's states and latents; each gives a bound.",
    )
    horizons: list[int] = Field(
        [1, 3, 10, 30],
        min_length=1,
        description="How far ahead frames are predicted, frames of the study's clock.",
    )
    rollouts: int = Field(100, ge=1, description="Sampled paths of states for each predicted frame.")
    targets: int = Field(16, ge=1, description="Largest number of predicted frames in a recording.")
    history_frames: int = Field(
        64, ge=1, description="Frames of the study's clock before a prediction that it is based on."
    )
