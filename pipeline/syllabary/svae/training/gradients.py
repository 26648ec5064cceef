"""Gradients through the optimum of inference: the one module whose gradients enter autograd.

Autograd gives the decoder's gradient by the marginals of the latents. Implicit differentiation
(``messages.meanfield``) turns it into a gradient by the evidence and by the prior's parameters.
The encoder's part is autograd's again.

References
----------
docs/mathematics.md, "Gradients through the optimum".
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ...messages import meanfield
from ...priors.interface import ChosenNetworkPrior, GlobalParameters
from ...priors.types import Cotangent, GaussianEvidence, Local, Tangent, TensorRecord
from ..networks import likelihood
from ..networks.interface import Decoder

__all__ = ["AT_ONCE", "Batch", "Gradient", "relative_error", "through_optimum"]

# A window that has not converged may be at a saddle, where the gradient is undefined. Few windows
# need many iterations.
STEP_ITERATIONS, STEP_TOLERANCE = 40, 1e-7
# Frames that a network processes at once in a step. With more, the images of its first stage are so
# large that the allocator asks the system for their memory afresh every time (benchmarks/README.md).
AT_ONCE = 128
# Solver of the implicit gradient: relative residual at which it stops, and steps at most.
SOLVER_TOLERANCE, SOLVER_ITERATIONS = 1e-2, 8
# For the check of the gradients: limits of an optimum that counts as exact.
EXACT_ITERATIONS, EXACT_TOLERANCE = 100, 1e-8


class Batch(NamedTuple):
    """Windows of one length: B of them, T frames each."""

    heights: Tensor
    """(B, T, H, W) float32, mm."""
    observed: Tensor
    """(B, T, H, W) bool."""
    scored: Tensor
    """(B, T) bool, frames that are scored."""
    starts: Tensor
    """(B, T, K) float64, probabilities of the states at the last visit."""
    boundary: meanfield.BoundaryMessages
    normals: Tensor
    """(B, T, D) float64, standard normal draws of the latents that are decoded: the first ones."""
    subject_offset: Tensor | float = 0.0
    """(B, 1, D) float64, added to these latents before they are decoded."""
    state_logits: Tensor | None = None
    """(B, T, K) float64, log evidence of the states if they are clamped."""


class Gradient(NamedTuple):
    """Gradient of one batch, and the posterior at which it was taken."""

    local: Local[TensorRecord]
    tangent: Tangent[GaussianEvidence, TensorRecord]
    """Gradient by the evidence's means and precisions, and by the expected statistics."""
    pixels: int
    """Number of pixels that were scored."""


def through_optimum(
    prior: ChosenNetworkPrior,
    parameters: GlobalParameters,
    decoder: Decoder,
    evidence: GaussianEvidence,
    batch: Batch,
    *,
    exact: bool = False,
) -> Gradient:
    """Infer a batch, and send the decoder's gradient back through the optimum.

    Parameters
    ----------
    prior : NetworkPrior
    parameters : NamedTuple
        Of the prior.
    decoder : Decoder
        The gradient of the log likelihood, to be maximized, is added to that of its parameters.
    evidence : GaussianEvidence
        (B, T, D) float64, detached from the encoder.
    batch : Batch
    exact : bool
        Solve everything far more closely than a step needs.
    """
    local = prior.infer(
        parameters,
        evidence,
        start=batch.starts,
        boundary=batch.boundary,
        max_iterations=EXACT_ITERATIONS if exact else STEP_ITERATIONS,
        tolerance=0.0 if exact else STEP_TOLERANCE,
    )
    by_means, by_covariances = _of_pixels(decoder, batch, local)
    # Of the likelihood minus the evidence's own terms, whose gradient the optimum accounts for. The
    # evidence of latents that are not decoded is their likelihood, so nothing remains of it.
    precision = evidence.precision.clone()
    precision[..., batch.normals.shape[-1] :] = 0
    by_means = by_means - precision * (evidence.mean - local.means)
    spread = (by_covariances + by_covariances.mT) / 2 + torch.diag_embed(precision) / 2
    tangent = prior.tangent(
        parameters,
        local,
        Cotangent(
            torch.where(batch.scored[..., None], by_means, 0.0),
            torch.where(batch.scored[..., None, None], spread, 0.0),
        ),
        tolerance=EXACT_TOLERANCE if exact else SOLVER_TOLERANCE,
        iterations=EXACT_ITERATIONS if exact else SOLVER_ITERATIONS,
    )
    observed = batch.observed[batch.scored]
    return Gradient(local, tangent, int(likelihood.scored_pixels(observed, decoder.used).sum()))


def _of_pixels(decoder: Decoder, batch: Batch, local: Local[TensorRecord]) -> tuple[Tensor, Tensor]:
    """Gradient of the pixels' log likelihood by means and covariances of the latents, by autograd."""
    assert local.covariances is not None
    means = local.means.clone().requires_grad_()
    covariances = local.covariances.clone().requires_grad_()
    scored, pose = batch.scored, batch.normals.shape[-1]
    drawn = likelihood.sample_marginals(
        means[scored][:, :pose], covariances[scored][:, :pose, :pose], batch.normals[scored]
    )
    drawn = drawn + (torch.zeros_like(batch.normals) + batch.subject_offset)[scored]
    leaf = drawn.detach().requires_grad_()
    parts = [
        part.split(AT_ONCE)  # type: ignore[no-untyped-call]
        for part in (batch.heights[scored], batch.observed[scored], leaf)
    ]
    for image, observed, latents in zip(*parts, strict=True):
        log_density = likelihood.log_likelihood(
            image,
            observed,
            decoder(latents),
            decoder.log_variance(),
            decoder.used,
            decoder.outliers,
        )
        log_density.sum().backward()  # type: ignore[no-untyped-call]
    drawn.backward(leaf.grad)  # type: ignore[no-untyped-call]
    assert means.grad is not None and covariances.grad is not None
    return means.grad, covariances.grad


def relative_error(gradient: Gradient, exact: Gradient, precision: Tensor) -> float:
    """Return the relative distance of a step's gradient from the exact one, of the median window.

    Both are by the evidence's means in units of their own spread, and by the log of its
    precisions, which are the encoder's outputs.

    Parameters
    ----------
    gradient, exact : Gradient
    precision : (B, T, D) float64
        Of the evidence.
    """
    weights = (1 / precision.clamp(min=1e-12).sqrt(), precision)

    def squares(*parts: Tensor) -> Tensor:
        return torch.stack(
            [(w * part).square().sum((1, 2)) for w, part in zip(weights, parts, strict=True)]
        ).sum(0)

    ours, theirs = gradient.tangent.evidence, exact.tangent.evidence
    distance = squares(ours.mean - theirs.mean, ours.precision - theirs.precision)
    return float((distance / squares(theirs.mean, theirs.precision)).sqrt().median())
