"""Gradients through the optimum of inference: the one place where ours enter autograd.

The decoder's gradient by the marginals of the latents is autograd's. What it says of the evidence
and of the prior's parameters is found by implicit differentiation (``messages.meanfield``); the
encoder's part is autograd's again.

References
----------
docs/mathematics.md, "Gradients through the optimum".
"""

from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...messages import meanfield
from ...priors.interface import Cotangent, GaussianEvidence, Local
from ..networks import likelihood
from ..networks.base import Decoder
from ..settings import TrainingSettings

__all__ = ["AT_ONCE", "Batch", "Gradient", "error", "through_optimum"]

# A piece that has not settled may be at a saddle, where no gradient can be sent back: few need many.
STEP_ITERATIONS, TURN_TOLERANCE = 40, 1e-7
# Frames that a network sees at once in a step: of more, the images of its first stage are so large that
# the allocator asks the system for their memory afresh every time (benchmarks/README.md).
AT_ONCE = 128
# For the check of the gradients: what counts as settled.
SETTLED_ITERATIONS, SETTLED_TOLERANCE = 100, 1e-8


class Batch(NamedTuple):
    """Pieces of one length: B of them, T frames each."""

    heights: Tensor
    """(B, T, H, W) float32, mm."""
    observed: Tensor
    """(B, T, H, W) bool."""
    core: Tensor
    """(B, T) bool, frames that are scored."""
    starts: Tensor
    """(B, T, K) float64, probabilities of the states at the last visit."""
    boundary: meanfield.BoundaryMessages
    normals: Tensor
    """(B, T, D) float64, standard normal draws of the latents that are decoded: the first ones."""
    subject_offset: Tensor | float = 0.0
    """(B, 1, D) float64, what is added to these before they are decoded."""
    state_logits: Tensor | None = None
    """(B, T, K) float64, log evidence of the states, where a recognizer holds them."""


class Gradient(NamedTuple):
    """What a step needs of one batch."""

    local: Local
    tangent: Any
    """Gradient by the evidence's means and precisions, and by the expected statistics."""
    pixels: int
    """Number of pixels that were scored."""


def through_optimum(
    prior: ModuleType,
    parameters: Any,
    decoder: Decoder,
    evidence: GaussianEvidence,
    batch: Batch,
    training: TrainingSettings,
    *,
    settled: bool = False,
) -> Gradient:
    """Infer a batch, and send the decoder's gradient back through the optimum.

    Parameters
    ----------
    prior, parameters
        A file of ``priors/`` with a ``tangent``, and its parameters.
    decoder : Decoder
        Its parameters' gradients are added to, of the log likelihood: to be maximized.
    evidence : GaussianEvidence
        (B, T, D) float64, without a path to the encoder.
    batch : Batch
    training : TrainingSettings
        Of the solver.
    settled : bool
        Solve everything far more closely than a step needs.
    """
    mean, precision = evidence[:2]
    local = prior.infer(
        parameters,
        evidence,
        start=batch.starts,
        boundary=batch.boundary,
        max_iterations=SETTLED_ITERATIONS if settled else STEP_ITERATIONS,
        tolerance=0.0 if settled else TURN_TOLERANCE,
    )
    means = local.means.clone().requires_grad_()
    covariances = local.covariances.clone().requires_grad_()
    core = batch.core
    pose = batch.normals.shape[-1]
    drawn = likelihood.sample_marginals(
        means[core][:, :pose], covariances[core][:, :pose, :pose], batch.normals[core]
    )
    drawn = drawn + (torch.zeros_like(batch.normals) + batch.subject_offset)[core]
    observed = batch.observed[core]
    leaf = drawn.detach().requires_grad_()
    parts = [
        part.split(AT_ONCE)  # type: ignore[no-untyped-call]
        for part in (batch.heights[core], observed, leaf)
    ]
    for image, seen, latents in zip(*parts, strict=True):
        log_density = likelihood.log_likelihood(
            image,
            seen,
            decoder(latents),
            decoder.log_variance(),
            decoder.used,
            decoder.outliers,
        )
        log_density.sum().backward()  # type: ignore[no-untyped-call]
    drawn.backward(leaf.grad)  # type: ignore[no-untyped-call]
    assert means.grad is not None and covariances.grad is not None
    # Of the likelihood minus the evidence's own terms, whose gradient the optimum accounts for. Of
    # latents that are not decoded the evidence is the likelihood, and nothing is left.
    own = precision.clone()
    own[..., pose:] = 0
    by_mean = means.grad - own * (mean - local.means)
    spread = (covariances.grad + covariances.grad.mT) / 2 + torch.diag_embed(own) / 2
    tangent = prior.tangent(
        parameters,
        local,
        Cotangent(
            torch.where(core[..., None], by_mean, 0.0),
            torch.where(core[..., None, None], spread, 0.0),
        ),
        tolerance=SETTLED_TOLERANCE if settled else training.solver_tolerance,
        iterations=SETTLED_ITERATIONS if settled else training.solver_iterations,
        damping=None if settled else training.solver_damping,
    )
    pixels = int(likelihood.scored_pixels(observed, decoder.used).sum())
    return Gradient(local, tangent, pixels)


def error(found: Gradient, exact: Gradient, precision: Tensor) -> float:
    """Relative distance of a step's gradient from that of the settled optimum; the median piece.

    Both by the evidence's means in units of their own spread, and by the log of its precisions:
    what the encoder's outputs are.

    Parameters
    ----------
    found, exact : Gradient
    precision : (B, T, D) float64
        Of the evidence.
    """
    weights = (1 / precision.clamp(min=1e-12).sqrt(), precision)

    def squares(parts: Any) -> Tensor:
        return torch.stack(
            [(w * part).square().sum((1, 2)) for w, part in zip(weights, parts, strict=True)]
        ).sum(0)

    apart = [a - b for a, b in zip(found.tangent.evidence[:2], exact.tangent.evidence[:2], strict=True)]
    return float((squares(apart) / squares(exact.tangent.evidence[:2])).sqrt().median())
