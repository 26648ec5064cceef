"""From crops to latents: the way that a model goes, in one record.

Crops are laid on the template (``registration``), reduced to principal components (``pca``), freed of
the animal's own build, and joined by the animal's motion (``kinematics``). Each of these but the PCA
is a choice of the model. A study has two reductions in one file: of crops as they are, and of
registered ones, whose components are their own.

Latents are noisier than their pixels say: what tracking and registration leave over differs from
frame to frame. For white noise of variance v the difference of a tick from the mean of its two
neighbors has variance 1.5 v, and a movement hardly any; so its median square tells v.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..progress import track
from ..provenance import Provenance, generator
from ..records import files
from ..records.crops import Crops
from . import frames as training_frames
from . import kinematics, pca
from .latents import LatentSeries
from .pca import Pca
from .registration import register, shifts_of_crops, warp_frames
from .settings import ReduceSettings
from .template import Template
from .template_learning import learn_template

__all__ = ["PLAIN", "REGISTERED", "Reduction", "fit", "load", "noise_of", "of_pca", "save"]

log = logging.getLogger(__name__)
PLAIN, REGISTERED = "plain", "registered"
# Frames of an average animal that a build is drawn toward.
OFFSET_COUNT = 300.0
# Standard deviations of a motion: beyond, tracking jumped.
FARTHEST = 6.0
LEAST_NOISE = 1e-4
# Registration is worth it where it at least halves the share of noise in how the pose varies.
WORTH = 0.5
# Median square of a standard normal number.
MEDIAN_SQUARE = 0.454936

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reduction:
    """All that makes latents of crops.

    Attributes
    ----------
    pca : Pca
    pose_noise : (D,) float64
        Variance of the noise that pose latents have over time, whitened units.
    motion_mean, motion_scale : (M,) float64
        Mean and SD of the motions in training, mm/s, mm/s and rad/s; M = 0 without motion.
    motion_noise : (M,) float64
        Variance of their noise, whitened units.
    template : Template, optional
        What crops are laid on.
    subject_offset : bool
        The mean pose of the recording is taken out.
    outlier_sd : float
        Pixels that stand out so far are missing; 0: none are.
    """

    pca: Pca
    pose_noise: Array
    motion_mean: Array
    motion_scale: Array
    motion_noise: Array
    template: Template | None = None
    subject_offset: bool = False
    outlier_sd: float = 0.0

    def latents(self, crops: Crops, *, chunk: int = 2048) -> LatentSeries:
        """Return the latents of every tick of a recording; the chunk has no influence on them."""
        shifts = None if self.template is None else shifts_of_crops(self.template, crops)
        view = register(crops, shifts)
        series = pca.scores(self.pca, view, outlier_sd=self.outlier_sd, chunk=chunk)
        values, seen, information = series[:3]
        assert information is not None
        known = information > 0
        information = np.where(known, 1 / (1 / np.where(known, information, 1) + self.pose_noise), 0)
        subject_offset = None
        if self.subject_offset:
            subject_offset = values[seen].sum(0) / (seen.sum() + OFFSET_COUNT)
            values = values - subject_offset
        motion = np.zeros((len(values), 0))
        if len(self.motion_mean):
            raw = kinematics.speeds(crops, shifts, seen)
            motion = np.clip((raw - self.motion_mean) / self.motion_scale, -FARTHEST, FARTHEST)
        told = np.where(np.isfinite(motion) & seen[:, None], 1 / self.motion_noise, 0.0)
        return LatentSeries(
            np.concatenate([values, motion], 1),
            seen,
            np.concatenate([information, told], 1),
            shifts,
            subject_offset,
            motion.shape[1],
        )

    def of_model(self, *, kinematics: bool, subject_offset: bool) -> Self:
        """Leave out what a model does not ask for."""
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
        )
        found = {name: np.asarray(getattr(self, name)) for name in names}
        parts: dict[str, Pca | Template] = {"pca": self.pca}
        if self.template is not None:
            parts["template"] = self.template
        for part, record in parts.items():
            found |= {f"{part}.{name}": value for name, value in record.tensors().items()}
        return found

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Rebuild from what ``tensors`` returned.

        Raises
        ------
        BadInput
            A tensor is missing.
        """

        def part(name: str) -> dict[str, npt.NDArray[np.generic]]:
            prefix = f"{name}."
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        own = ("pose_noise", "motion_mean", "motion_scale", "motion_noise")
        missing = [name for name in (*own, "subject_offset") if name not in tensors]
        if missing:
            raise BadInput(f"these tensors are no reduction: {', '.join(missing)} missing.")
        template = part("template")
        arrays: dict[str, Any] = {name: np.asarray(tensors[name], np.float64) for name in own}
        return cls(
            pca=Pca.from_tensors(part("pca")),
            template=Template.from_tensors(template) if template else None,
            subject_offset=bool(tensors["subject_offset"]),
            outlier_sd=float(tensors.get("outlier_sd", np.zeros(()))),
            **arrays,
        )


def of_pca(components: Pca) -> Reduction:
    """Return the reduction that is the PCA and nothing else."""
    none = np.zeros(0)
    return Reduction(components, np.zeros(len(components.scale)), none, none, none)


def fit(paths: Sequence[Path], settings: ReduceSettings, *, seed: int) -> dict[str, Reduction]:
    """Fit both reductions of a study: of crops as they are, and of registered ones.

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
        ``plain`` and ``registered``, each with motion if the recordings were tracked. The latter is
        of crops as they are where laying them on a template does not halve the share of noise in them.

    Raises
    ------
    BadInput
        Recordings disagree about size or ``pixel_mm``, or too little was measured.
    """
    rng = generator(seed, "pca")
    frames, size, pixel_mm = training_frames.sample(paths, settings.frames, rng)
    template = learn_template(frames, size, pixel_mm, settings, generator(seed, "registration"))
    moved = warp_frames(template, frames, size)
    plain = pca.fit_frames(frames, size, pixel_mm, settings, rng)
    del frames
    rng, sd = generator(seed, "pca", "registered"), settings.outlier_sd
    registered = pca.fit_frames(moved, size, pixel_mm, settings, rng, clear=True)
    del moved
    poses: dict[str, list[Array]] = {PLAIN: [], REGISTERED: []}
    motions: dict[str, list[Array]] = {PLAIN: [], REGISTERED: []}
    chosen = _spread(paths, settings.frames, generator(seed, "reduction"))
    for path in track(chosen, "reduction: noise", unit="recordings"):
        with Crops(path) as crops:
            shifts = shifts_of_crops(template, crops)
            series = pca.scores(registered, register(crops, shifts), outlier_sd=sd)
            poses[PLAIN].append(pca.scores(plain, crops).values)
            poses[REGISTERED].append(series.values)
            motions[PLAIN].append(kinematics.speeds(crops, None, series.observed, bridge=0))
            motions[REGISTERED].append(kinematics.speeds(crops, shifts, series.observed, bridge=0))
    noise = {name: noise_of(own) for name, own in poses.items()}
    log.info(
        "noise of the pose latents over time (variance, whitened): %s, registered %s",
        *(np.round(own, 3) for own in noise.values()),
    )
    found = {PLAIN: Reduction(plain, np.zeros(len(plain.scale)), *_law(motions[PLAIN]))}
    if _share(registered, noise[REGISTERED]) < WORTH * _share(plain, noise[PLAIN]):
        law = _law(motions[REGISTERED])
        found[REGISTERED] = Reduction(registered, noise[REGISTERED], *law, template, outlier_sd=sd)
    else:
        # Well tracked crops gain nothing, and movements that look like a shift would be lost.
        log.warning("registration does not make the latents quieter: crops are taken as they are.")
        found[REGISTERED] = dataclasses.replace(found[PLAIN], pose_noise=noise[PLAIN], outlier_sd=sd)
    return found


def noise_of(series: Sequence[Array]) -> Array:
    """Return the variance (D,) of the white noise in series (T, D), NaN where missing; 0 if unknown."""
    apart = [one[1:-1] - (one[:-2] + one[2:]) / 2 for one in series if len(one) > 2]
    if not apart:
        return np.zeros(series[0].shape[1])
    joined = np.concatenate(apart)
    joined = joined[np.isfinite(joined).all(1)]
    if not len(joined):
        return np.zeros(joined.shape[1])
    found: Array = np.median(joined**2, 0) / (1.5 * MEDIAN_SQUARE)
    return found


def _share(components: Pca, noise: Array) -> float:
    """Share of the variance of heights that is noise over time; a faint component counts little."""
    variance = components.scale**2
    return float(variance @ noise / variance.sum())


def save(path: Path | str, reductions: Mapping[str, Reduction], provenance: Provenance) -> None:
    """Write ``pca.h5`` whole or not at all: a group for each reduction."""
    with files.create(path) as temporary, h5py.File(temporary, "w") as h5:
        for group, reduction in reductions.items():
            for name, value in reduction.tensors().items():
                h5[f"{group}/{name.replace('.', '/')}"] = value
        h5.attrs["provenance"] = provenance.to_json()


def load(path: Path | str, *, registration: bool, kinematics: bool, subject_offset: bool) -> Reduction:
    """Read the reduction that a model asks for.

    Parameters
    ----------
    path : path
        ``pca.h5``.
    registration, kinematics, subject_offset : bool
        Settings of the model with these names.

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

    with h5py.File(files.require(path, "reduce"), "r") as h5:
        if wanted not in h5:
            raise BadInput(f"{path}: no group {wanted!r}; run 'syllabary reduce' of this version again.")
        h5[wanted].visititems(keep)
    return Reduction.from_tensors(tensors).of_model(kinematics=kinematics, subject_offset=subject_offset)


def _law(motions: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Mean, SD and noise of motions, all empty where nothing was tracked or nothing moved."""
    joined = np.concatenate(motions)
    joined = joined[np.isfinite(joined).all(1)]
    if not len(joined):
        return (np.zeros(0),) * 3
    # A jump of the tracking is worth a thousand steps.
    joined = np.clip(joined, *np.quantile(joined, [0.001, 0.999], axis=0))
    mean, scale = joined.mean(0), joined.std(0)
    if not (scale > 0).all():
        return (np.zeros(0),) * 3
    noise = noise_of([(one - mean) / scale for one in motions])
    return mean, scale, np.maximum(noise, LEAST_NOISE)


def _spread(paths: Sequence[Path], limit: int, rng: np.random.Generator) -> list[Path]:
    """Recordings at random until they have so many ticks, in the order given."""
    chosen, ticks = [], 0
    for i in rng.permutation(len(paths)):
        if ticks >= limit:
            break
        with Crops(paths[i]) as crops:
            ticks += len(crops)
        chosen.append(int(i))
    return [paths[i] for i in sorted(chosen)]
