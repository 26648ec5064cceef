"""Priors: models of how latents move, one module per model, with one interface for all.

- ``arhmm``: MoSeq's model; latents are exact, each state is an autoregression of L lags
- ``slds``: latents have noise and move by the linear dynamics of their state
- ``lds``: one motion for all frames
- ``hmm``: states are postures, and persist
- ``gmm``: states are postures, and frames are independent

In reading order: ``interface`` (the functions that a prior offers, with their documentation) and
``types`` (the records that pass through them); ``arhmm`` and ``slds``; ``blocks``, from which the
models are made; ``settings`` of each; ``lookup`` (a prior by its name). To add a prior is to add one
module that satisfies ``interface.Prior``; the name of the file is its name in the config.

Notation: T frames, D latent dimensions, K states. Time runs on axis -2 of latents (..., T, D) and
of states (..., T, K); ``lengths`` (...) holds how many frames count in each sequence. State z_t
drives the step *into* frame t.
"""

# Modules that serve the others; every other module of the folder is a prior.
SHARED: tuple[str, ...] = (
    "blocks",
    "interface",
    "lookup",
    "settings",
    "types",
)

__all__ = ["SHARED"]
