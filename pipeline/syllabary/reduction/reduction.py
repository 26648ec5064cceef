"""From crops to latents: all steps of a model's reduction in one record.

Crops are registered with the template (``registration``) and reduced to principal components (``pca``).
The animal's mean pose is subtracted, and its motion is appended (``kinematics``). A model chooses which
of these steps it uses, except for the PCA. A study has two reductions in one file: of the crops as
extracted and of registered crops. Each has its own components.

Latents have more noise than their pixels explain, because errors of tracking and registration differ
from frame to frame. For white noise of variance v, the difference of a tick from the mean of its two
neighbors has variance 1.5 v. Movements contribute little to it, so its median square estimates v.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..progress import track
from ..provenance import Provenance, generator
from ..records import files
from ..records.clock import clock_of, on_clock, rate_of, same_rate
from ..records.crops import Crops
from . import frames as training_frames
from . import kinematics, pca, pca_fitting, study_clock
from .latents import LatentSeries
from .pca import Pca
from .registration import register, shifts_of_crops, warp_frames
from .settings import ReduceSettings
from .template import Template
from .template_learning import learn_template

__all__ = ["PLAIN", "REGISTERED", "Reduction", "fit", "load", "noise_of", "of_pca", "save"]

log = logging.getLogger(__name__)
PLAIN, REGISTERED = "plain", "registered"
# The mean pose of an animal is shrunk toward the average animal, as by this many of its frames.
OFFSET_COUNT = 300.0
# Largest motion, in SDs; larger ones are jumps of the tracking.
MAX_MOTION_SD = 6.0
MIN_NOISE = 1e-4
# Median square of a standard normal number.
MEDIAN_SQUARE = 0.454936

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reduction:
    """All that is needed to compute latents from crops.

    Attributes
    ----------
    pca : Pca
    pose_noise : (D,) float64
        Variance of the noise of pose latents over time, whitened units.
    motion_mean, motion_scale : (M,) float64
        Mean and SD of the motions in training, mm/s, mm/s and rad/s; M = 0 without motion.
    motion_noise : (M,) float64
        Variance of their noise, whitened units.
    template : Template, optional
        Crops are registered with it.
    subject_offset : bool
        The mean pose of the recording is subtracted.
    outlier_sd : float
        See ``pca.scores``.
    fps : float
        Ticks per second of the latents; 0 = those of the recording.
    """

    pca: Pca
    pose_noise: Array
    motion_mean: Array
    motion_scale: Array
    motion_noise: Array
    template: Template | None = None
    subject_offset: bool = False
    outlier_sd: float = 0.0
    fps: float = 0.0

    def latents(self, crops: Crops, *, chunk: int = 2048) -> LatentSeries:
        """Return the latents of a recording, by tick of the clock ``fps``; see ``records.clock``.

        Parameters
        ----------
        crops : Crops
        chunk : int
            Ticks in memory at once.

        Raises
        ------
        BadInput
            The recording has too few frames per second.
        """
        rate, crops = rate_of(crops.time_s), on_clock(crops, self.fps)
        if clock_of(crops):
            log.info(
                "%s: has %.4g frames per second, and is read at %.4g.", crops.recording, rate, self.fps
            )
        shifts = None if self.template is None else shifts_of_crops(self.template, crops)
        registered = register(crops, shifts)
        series = pca.scores(self.pca, registered, outlier_sd=self.outlier_sd, chunk=chunk)
        values, observed, information = series[:3]
        assert information is not None
        informed = information > 0
        variance = 1 / np.where(informed, information, 1) + self.pose_noise
        information = np.where(informed, 1 / variance, 0)
        subject_offset = None
        if self.subject_offset:
            subject_offset = values[observed].sum(0) / (observed.sum() + OFFSET_COUNT)
            values = values - subject_offset
        motion = np.zeros((len(values), 0))
        if len(self.motion_mean):
            raw = kinematics.speeds(crops, shifts, observed)
            motion = np.clip((raw - self.motion_mean) / self.motion_scale, -MAX_MOTION_SD, MAX_MOTION_SD)
        measured = np.isfinite(motion) & observed[:, None]
        motion_information = np.where(measured, 1 / self.motion_noise, 0.0)
        return LatentSeries(
            np.concatenate([values, motion], 1),
            observed,
            np.concatenate([information, motion_information], 1),
            shifts,
            subject_offset,
            motion.shape[1],
            clock=clock_of(crops),
        )

    def of_model(self, *, kinematics: bool, subject_offset: bool) -> Self:
        """Return the reduction without the steps that a model does not use."""
        motion = slice(None) if kinematics else slice(0)
        return dataclasses.replace(
            self,
            motion_mean=self.motion_mean[motion],
            motion_scale=self.motion_scale[motion],
            motion_noise=self.motion_noise[motion],
            subject_offset=subject_offset,
        )

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return every array by name, as checkpoints store them."""
        names = (
            "pose_noise",
            "motion_mean",
            "motion_scale",
            "motion_noise",
            "subject_offset",
            "outlier_sd",
            "fps",
        )
        tensors = {name: np.asarray(getattr(self, name)) for name in names}
        parts: dict[str, Pca | Template] = {"pca": self.pca}
        if self.template is not None:
            parts["template"] = self.template
        for part, record in parts.items():
            tensors |= {f"{part}.{name}": value for name, value in record.tensors().items()}
        return tensors

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Rebuild a reduction from its ``tensors``.

        Raises
        ------
        BadInput
            A tensor is missing.
        """

        def part(name: str) -> dict[str, npt.NDArray[np.generic]]:
            prefix = f"{name}."
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        arrays_of = ("pose_noise", "motion_mean", "motion_scale", "motion_noise")
        missing = [name for name in (*arrays_of, "subject_offset") if name not in tensors]
        if missing:
            raise BadInput(f"tensors of a reduction are missing: {', '.join(missing)}.")
        template = part("template")
        arrays = {name: np.asarray(tensors[name], np.float64) for name in arrays_of}
        return cls(
            pca=Pca.from_tensors(part("pca")),
            template=Template.from_tensors(template) if template else None,
            subject_offset=bool(tensors["subject_offset"]),
            outlier_sd=float(tensors.get("outlier_sd", np.zeros(()))),
            fps=float(tensors.get("fps", np.zeros(()))),
            **arrays,
        )


def of_pca(components: Pca) -> Reduction:
    """Return the reduction that is the PCA alone."""
    none = np.zeros(0)
    return Reduction(components, np.zeros(len(components.scale)), none, none, none)


def fit(paths: Sequence[Path], settings: ReduceSettings, *, seed: int) -> dict[str, Reduction]:
    """Fit both reductions of a study: of the crops as extracted and of registered crops.

    Parameters
    ----------
    paths : sequence of paths
        ``crops.h5`` of the training recordings, of one size and one ``pixel_mm``.
    settings : ReduceSettings
    seed : int
        Seed of the study.

    Returns
    -------
    dict
        ``plain`` and ``registered``, each with motion if the recordings were tracked. If registration
        is not worthwhile (``template_learning``), both are reductions of the crops as extracted.

    Raises
    ------
    BadInput
        Recordings disagree about size or ``pixel_mm``, too little was measured, or the study's rate
        is too high for a recording.
    """
    rates = study_clock.rates_of(paths)
    fps = study_clock.choose(rates, settings.frames_per_second)
    rng = generator(seed, "pca")
    frames, size, pixel_mm = training_frames.sample(paths, settings.frames, rng)
    template, ratio = learn_template(frames, size, pixel_mm, settings, generator(seed, "registration"))
    moved = warp_frames(template, frames, size)
    plain = pca_fitting.fit_frames(frames, size, pixel_mm, settings, rng)
    del frames
    rng, sd = generator(seed, "pca", "registered"), settings.outlier_sd
    registered = pca_fitting.fit_frames(moved, size, pixel_mm, settings, rng, clear=True)
    del moved
    poses: dict[str, list[Array]] = {PLAIN: [], REGISTERED: []}
    motions: dict[str, list[Array]] = {PLAIN: [], REGISTERED: []}
    # Recordings with too few frames know nothing of differences between ticks.
    dense = [path for path in paths if rates[path][0] >= fps or same_rate(rates[path][0], fps)]
    chosen = _recordings_sample(dense or paths, settings.frames, generator(seed, "reduction"))
    for path in track(chosen, "reduction: noise", unit="recordings"):
        with Crops(path) as recording:
            crops = on_clock(recording, fps)
            shifts = shifts_of_crops(template, crops)
            series = pca.scores(registered, register(crops, shifts), outlier_sd=sd)
            poses[PLAIN].append(pca.scores(plain, crops).values)
            poses[REGISTERED].append(series.values)
            motions[PLAIN].append(kinematics.speeds(crops, None, series.observed, bridge_s=0))
            motions[REGISTERED].append(kinematics.speeds(crops, shifts, series.observed, bridge_s=0))
    noise = {name: noise_of(values) for name, values in poses.items()}
    log.info(
        "noise of the pose latents over time (variance, whitened): %s, registered %s",
        *(np.round(variance, 3) for variance in noise.values()),
    )
    no_noise = np.zeros(len(plain.scale))
    reductions = {PLAIN: Reduction(plain, no_noise, *_motion_statistics(motions[PLAIN]))}
    log.info(
        "registration leaves %.2f of what as many components do not explain (below 1: it is used)",
        ratio,
    )
    if ratio < 1:
        statistics = _motion_statistics(motions[REGISTERED])
        reductions[REGISTERED] = Reduction(
            registered, noise[REGISTERED], *statistics, template, outlier_sd=sd
        )
    else:
        # Registration would remove movements that look like shifts.
        log.warning(
            "registration explains crops no better than more components; crops are used as extracted."
        )
        reductions[REGISTERED] = dataclasses.replace(
            reductions[PLAIN], pose_noise=noise[PLAIN], outlier_sd=sd
        )
    return {name: dataclasses.replace(each, fps=fps) for name, each in reductions.items()}


def noise_of(series: Sequence[Array]) -> Array:
    """Return the variance of the white noise in series.

    Parameters
    ----------
    series : sequence of (T, D) float64
        NaN where missing.

    Returns
    -------
    (D,) float64
        0 where all series are too short.
    """
    differences = [values[1:-1] - (values[:-2] + values[2:]) / 2 for values in series if len(values) > 2]
    if not differences:
        return np.zeros(series[0].shape[1])
    joined = np.concatenate(differences)
    joined = joined[np.isfinite(joined).all(1)]
    if not len(joined):
        return np.zeros(joined.shape[1])
    variance: Array = np.median(joined**2, 0) / (1.5 * MEDIAN_SQUARE)
    return variance


def save(path: Path | str, reductions: Mapping[str, Reduction], provenance: Provenance) -> None:
    """Write ``pca.h5``, with a group for each reduction, whole or not at all."""
    with files.create(path) as temporary, h5py.File(temporary, "w") as h5:
        for group, reduction in reductions.items():
            for name, value in reduction.tensors().items():
                h5[f"{group}/{name.replace('.', '/')}"] = value
        h5.attrs["provenance"] = provenance.to_json()


def load(path: Path | str, *, registration: bool, kinematics: bool, subject_offset: bool) -> Reduction:
    """Read the reduction that a model uses.

    Parameters
    ----------
    path : path
        ``pca.h5``.
    registration, kinematics, subject_offset : bool
        Settings of the model.

    Raises
    ------
    BadInput
        The file is missing, or of another version.
    """
    wanted = REGISTERED if registration else PLAIN
    tensors: dict[str, npt.NDArray[np.generic]] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            tensors[name.replace("/", ".")] = np.asarray(item[()])

    with files.hdf5(path, "reduce", "principal components") as h5:
        if f"{wanted}/fps" not in h5:
            raise BadInput(f"{path}: no {wanted}/fps; run 'syllabary reduce' of this version again.")
        h5[wanted].visititems(keep)
    return Reduction.from_tensors(tensors).of_model(kinematics=kinematics, subject_offset=subject_offset)


def _motion_statistics(motions: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Mean, SD and noise of motions (M,); empty if nothing was tracked or nothing moved."""
    joined = np.concatenate(motions)
    joined = joined[np.isfinite(joined).all(1)]
    if not len(joined):
        return (np.zeros(0),) * 3
    # Clip jumps of the tracking, which would dominate the variance.
    joined = np.clip(joined, *np.quantile(joined, [0.001, 0.999], axis=0))
    mean, scale = joined.mean(0), joined.std(0)
    if not (scale > 0).all():
        return (np.zeros(0),) * 3
    noise = noise_of([(motion - mean) / scale for motion in motions])
    return mean, scale, np.maximum(noise, MIN_NOISE)


def _recordings_sample(paths: Sequence[Path], limit: int, rng: np.random.Generator) -> list[Path]:
    """Random recordings with ``limit`` ticks together, in the order of ``paths``."""
    chosen, ticks = [], 0
    for i in rng.permutation(len(paths)):
        if ticks >= limit:
            break
        with Crops(paths[i]) as crops:
            ticks += len(crops)
        chosen.append(int(i))
    return [paths[i] for i in sorted(chosen)]
