"""Inference in one generative process: switching dynamics of any number of lags.

- ``generative``: the parameters of any prior as such a process
- ``filtering``: states and latents given the frames so far
- ``chain``: latents given states, and states given latents, by the other frames too
- ``posterior``: the posterior of a whole recording

Notation: N sequences, T frames, D latent dimensions, K states, L lags.
"""

__all__ = ["chain", "filtering", "generative", "posterior"]
