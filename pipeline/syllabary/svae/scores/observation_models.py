"""What is measured of a frame, as a function of its latents and independent noise."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from ...reduction.pca import Pca
from ..networks import likelihood
from ..networks.interface import Decoder
from ..process.chain import Potential

__all__ = ["Components", "Pixels", "View", "log_density", "potential"]

# Frames decoded at once: with all that a decoder and a likelihood keep of them, about 100 MB.
CHUNK = 256


class View(Protocol):
    """Measurements of M frames."""

    @property
    def size(self) -> int:
        """Latents that are the pose: those a decoder takes, the first of all."""

    def expected(self, latents: Tensor) -> Tensor:
        """Return what latents (N, pose) stand for, (N, P)."""

    def measured(self, rows: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
        """Return values and their precisions of frames, (N, P) each; precision 0 is missing.

        Where values may be outliers, precisions are for values ``expected`` (N, P).
        """

    def score(self, latents: Tensor, rows: Tensor) -> Tensor:
        """Return the log density (N,) of frames ``rows`` (N,) given latents (N, pose), nats."""


class Pixels(NamedTuple):
    """The heights of the pixels that are modeled, with the decoder's noise."""

    decoder: Decoder
    heights: Tensor
    """(M, H, W) float32, mm."""
    observed: Tensor
    """(M, H, W) bool."""
    subject_offset: Tensor | float = 0.0
    """What is added to latents before they are decoded, (pose,)."""

    @property
    def size(self) -> int:
        """Latents that the decoder takes."""
        return len(self.decoder.scale)

    def expected(self, latents: Tensor) -> Tensor:
        """Return heights (N, H W), mm."""
        return self.decoder(latents + self.subject_offset).flatten(1)

    def measured(self, rows: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
        """Return heights and their precisions, (N, H W), 1 / mm²: as far as they are no outliers."""
        scored = self.observed[rows] & self.decoder.used
        log_variance, outliers = self.decoder.log_variance(), self.decoder.outliers
        heights = torch.where(scored, self.heights[rows], 0)
        share = likelihood.inliers(heights - expected.view_as(heights), log_variance, outliers)
        precision = torch.where(scored, torch.exp(-log_variance) * share, 0)
        return heights.flatten(1), precision.flatten(1)

    def score(self, latents: Tensor, rows: Tensor) -> Tensor:
        """Return the log density of all measured pixels, as in training."""
        return likelihood.log_likelihood(
            self.heights[rows],
            self.observed[rows],
            self.decoder(latents + self.subject_offset),
            self.decoder.log_variance(),
            self.decoder.used,
            self.decoder.outliers,
        )

    def counts(self) -> Tensor:
        """Return the number of scored pixels of each frame, (M,) int64."""
        return likelihood.scored_pixels(self.observed, self.decoder.used)


class Components(NamedTuple):
    """The PCA's latents of a frame, with the noise that its measured pixels leave them."""

    decoder: Decoder
    pca: Pca
    values: Tensor
    """(M, D) float64, whitened; anything where the information is 0."""
    information: Tensor
    """(M, D) float64, their precisions."""
    subject_offset: Tensor | float = 0.0
    """What is added to latents before they are decoded, (pose,), and is not in the values."""

    @property
    def size(self) -> int:
        """Latents that the decoder takes."""
        return len(self.decoder.scale)

    def expected(self, latents: Tensor) -> Tensor:
        """Return the PCA's latents (N, D) of what the decoder makes; the same, if it is linear."""
        basis = torch.from_numpy(self.pca.components / self.pca.scale[:, None, None]).flatten(1)
        mean = torch.from_numpy(self.pca.mean).flatten()
        heights = self.decoder(latents + self.subject_offset).flatten(1)
        scores: Tensor = ((heights - mean.to(heights)) @ basis.T.to(heights)).double()
        return scores - self.subject_offset

    def measured(self, rows: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
        """Return latents and their precisions, whatever is expected."""
        precision = self.information[rows]
        return torch.where(precision > 0, self.values[rows], 0.0), precision

    def score(self, latents: Tensor, rows: Tensor) -> Tensor:
        """Return the log density of the PCA's latents."""
        expected = self.expected(latents)
        values, precision = self.measured(rows, expected)
        squares = precision * (values - expected).square()
        constant = torch.where(precision > 0, torch.log(precision / (2 * torch.pi)), 0.0)
        return 0.5 * (constant - squares).sum(-1)


@torch.no_grad()
def log_density(view: View, latents: Tensor, rows: Tensor) -> Tensor:
    """Return the log density (N,) float64 of frames ``rows`` (N,) of a view, nats.

    Parameters
    ----------
    view : View
    latents : (N, D) float64
        All latents; those beyond the pose are not looked at.
    rows : (N,) int64
    """
    pose = latents[:, : view.size]
    result = latents.new_empty(len(rows), dtype=torch.float64)
    for begin in range(0, len(rows), CHUNK):
        at = slice(begin, begin + CHUNK)
        result[at] = view.score(pose[at], rows[at])
    return result


@torch.no_grad()
def potential(view: View, latents: Tensor, rows: Tensor) -> Potential:
    """Return the Gaussian potential of frames, with the decoder made linear around given latents.

    It is exact for a linear decoder without outliers, and has the full precision matrix. A pixel
    counts by the probability that it is no outlier. Latents beyond the pose have no potential.

    Parameters
    ----------
    view : View
    latents : (N, D) float64
        Where the decoder is made linear.
    rows : (N,) int64
        Frames of the view.

    Returns
    -------
    Potential
        (N, D, D) and (N, D), float64.
    """
    size = latents.shape[-1]
    precision = latents.new_zeros((len(latents), size, size))
    mean = torch.zeros_like(latents)
    pose = view.size
    step = max(1, CHUNK // 2)
    for begin in range(0, len(latents), step):
        at = slice(begin, begin + step)
        around = latents[at, :pose]
        heights, slopes = _slopes(view.expected, around)
        values, weights = view.measured(rows[at], heights)
        weighted = slopes * weights[:, None]
        inner = (weighted @ slopes.mT).double()
        precision[at, :pose, :pose] = (inner + inner.mT) / 2
        pull = (weighted @ (values - heights)[..., None])[..., 0].double()
        mean[at, :pose] = pull + (precision[at, :pose, :pose] @ around[..., None])[..., 0]
    return Potential(precision, mean)


def _slopes(function: Callable[[Tensor], Tensor], around: Tensor) -> tuple[Tensor, Tensor]:
    """Values (N, P), and their derivatives (N, D, P) by each latent; frames do not see each other."""
    columns = []
    for d in range(around.shape[1]):
        direction = torch.zeros_like(around)
        direction[:, d] = 1
        values, slope = torch.func.jvp(function, (around,), (direction,))[:2]
        columns.append(slope)
    return values, torch.stack(columns, 1)
