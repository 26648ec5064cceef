"""Settings of the stages of models: `fit`, `segment`, `evaluate`."""

from typing import Any

from ..settings import Field, Settings

__all__ = [
    "ClassifierSettings",
    "DiscoverySettings",
    "EvaluateSettings",
    "ModelSettings",
    "NetworkSettings",
    "TrainingSettings",
]


class TrainingSettings(Settings):
    """How long a model is trained, and what it aims at."""

    target_duration_s: float | None = Field(
        None,
        gt=0,
        description="median duration of a syllable; without one, of the model-free segments",
    )
    restarts: int = Field(
        4, ge=1, description="starts from different clusters; the one of highest bound is kept"
    )
    restart_iterations: int = Field(25, ge=1, description="sweeps over the recordings in each start")
    iterations: int = Field(100, ge=0, description="sweeps after the choice, at most")
    tolerance_nats: float = Field(
        1e-4, gt=0, description="rise of the bound per frame and sweep below which training ends"
    )
    duration_tolerance: float = Field(
        0.05, gt=0, lt=1, description="relative distance from the target duration that is accepted"
    )
    local_iterations: int = Field(
        6, ge=1, description="turns between latents and states in each sweep, at most"
    )
    latent_iterations: int = Field(
        40, ge=1, description="sweeps in which latents are inferred with their noise, at most"
    )
    clamped_iterations: int = Field(
        12, ge=1, description="sweeps that fit the prior to states which a recognizer tells"
    )
    epochs: int = Field(
        8, ge=0, description="times that the networks see every training frame; 0 leaves the PCA"
    )
    window_frames: int = Field(
        128, ge=8, description="length of the pieces that networks are trained on"
    )
    buffer_frames: int = Field(
        16, ge=0, description="frames on both sides of a piece that are inferred with it, not scored"
    )
    batch_windows: int = Field(4, ge=1, description="pieces in one step of training")
    learning_rate: float = Field(
        1e-3, gt=0, description="of the networks, at its height; it rises first and falls to a hundredth"
    )
    gradient_norm: float = Field(
        10.0, gt=0, description="longest gradient of the networks, of nats per frame and pixel"
    )
    global_rate: float = Field(
        0.05,
        gt=0,
        le=1,
        description="step of the prior's parameters on one batch; a sweep's is 1",
    )
    solver_tolerance: float = Field(
        1e-2, gt=0, description="relative residual at which the implicit gradient is good enough"
    )
    solver_iterations: int = Field(
        8, ge=0, description="steps of its solver, at most; 0 holds the states fixed"
    )
    solver_damping: float | None = Field(
        None,
        gt=0,
        le=1,
        description="to compare: plain iteration, so damped; 1 in one step is a Neumann term",
    )
    duration_frames: int = Field(
        200_000,
        ge=1000,
        description="frames, in whole recordings, on which the stickiness is solved, at least",
    )


class ClassifierSettings(Settings):
    """Size and training of the recognizer of states."""

    width: int = Field(64, ge=4, le=1024, description="units of each of its two layers")
    context_frames: int = Field(
        17, ge=3, le=257, description="frames that it sees of a syllable, the frame in the middle; odd"
    )
    epochs: int = Field(40, ge=1, description="times that it sees every training frame")
    max_steps: int = Field(4000, ge=1, description="steps of its training, at most")
    learning_rate: float = Field(4e-3, gt=0, description="at its height")


class DiscoverySettings(Settings):
    """How syllables are found."""

    states: int = Field(50, ge=1, le=1000, description="states of the teacher, at most")
    lags: int = Field(3, ge=1, le=20, description="past frames that the teacher predicts a frame from")
    restarts: int = Field(2, ge=1, description="starts of the teacher; the best one is kept")
    iterations: int = Field(40, ge=0, description="sweeps of the teacher after that choice, at most")
    bridge_frames: int = Field(
        6, ge=0, description="gaps of missing frames that are bridged for the teacher, at most"
    )
    merge_threshold_nats: float = Field(
        0.055,
        ge=0,
        description="what the difference of two syllables must explain, nats per frame of all frames",
    )
    rounds: int = Field(2, ge=0, description="rounds of self-training")
    folds: int = Field(4, ge=2, description="parts that recordings are split into for it")
    forecast_lags: int = Field(
        3,
        ge=1,
        le=20,
        description="past frames that a frame is predicted from, at the end; 1: as in training",
    )
    classifier: ClassifierSettings = ClassifierSettings()


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
    """A model: how frames become latents, and how latents are believed to move."""

    network: str = Field("pca", description="from frames to latents and back: a file in `networks/`")
    network_settings: dict[str, Any] = Field(
        {}, description="settings of the network; `Settings` in its file says which there are"
    )
    prior: str = Field("arhmm", description="how latents move: a file in `priors/`")
    prior_settings: dict[str, Any] = Field(
        {}, description="settings of the prior; `Settings` in its file says which there are"
    )
    registration: bool = Field(
        False, description="lay every crop on a template first: takes out what tracking left"
    )
    kinematics: bool = Field(
        False, description="speed forward and sideways, and turning, beside the pose; if tracked"
    )
    subject_offset: bool = Field(False, description="take out each recording's own mean pose")
    bridge_frames: int = Field(
        0, ge=0, description="longest gap that is filled where latents are taken as points; 0 = none"
    )
    discovery: DiscoverySettings | None = Field(
        None,
        description="how syllables are found before the model is trained; null: by the prior itself",
    )
    training: TrainingSettings = Field(TrainingSettings(), description="how it is trained")
    path: str | None = Field(
        None, description="a model.safetensors trained elsewhere: nothing is fitted"
    )


class EvaluateSettings(Settings):
    """Log likelihoods of held-out recordings, the same for every model."""

    draws: int = Field(4, ge=1, description="draws of a frame's latents in the bound")
    clips: int = Field(4, ge=1, description="clips of a recording that are scored by sampling, at most")
    clip_frames: int = Field(64, ge=2, description="length of a clip")
    samples: list[int] = Field(
        [1, 16, 64],
        min_length=1,
        description="samples of a clip's states and latents, each giving a bound",
    )
    horizons: list[int] = Field(
        [1, 3, 10, 30], min_length=1, description="frames ahead that are predicted"
    )
    rollouts: int = Field(100, ge=1, description="paths of states to each predicted frame")
    targets: int = Field(16, ge=1, description="frames of a recording that are predicted, at most")
    history_frames: int = Field(64, ge=1, description="frames seen before a prediction")
