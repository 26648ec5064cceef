"""The parts of which the priors are made.

``global_parameters`` (settings and parameters that the sticky models share), ``sticky``
(transitions), ``population`` (the hyperprior of the dynamics), ``autoregression`` (a frame given its
past), ``switching`` (latents and states at their optimum), ``filtering`` (one-step predictions),
``natural_gradient`` (steps that keep parameters valid), ``rescaling`` (other units of latents),
``initialization`` and ``clusters`` (first guess), ``merging`` (redundant states).
"""

__all__ = [
    "autoregression",
    "clusters",
    "filtering",
    "global_parameters",
    "initialization",
    "merging",
    "natural_gradient",
    "population",
    "rescaling",
    "sticky",
    "switching",
]
