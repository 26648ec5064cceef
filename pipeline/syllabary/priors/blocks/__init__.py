"""What the priors are made of.

``global_parameters`` (settings and parameters that the sticky models share), ``autoregression`` (a
frame given its past), ``switching`` (latents and states at their optimum), ``population`` (what
states have in common), ``sticky`` (transitions), ``natural_gradient`` (steps that keep parameters
valid), ``initialization`` and ``clusters`` (first guess), ``merging`` (redundant states),
``residuals`` (does the model leave autocorrelated residuals).
"""

__all__ = [
    "autoregression",
    "clusters",
    "global_parameters",
    "initialization",
    "merging",
    "natural_gradient",
    "population",
    "residuals",
    "sticky",
    "switching",
]
