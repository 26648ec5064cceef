"""From latents and crops to the posterior of every tick: training and segmentation.

In reading order: ``settings`` and ``choices`` (what the names in them stand for);
``latent_evidence`` (evidence of latents from frames); ``discovery/`` (the syllables);
``networks/`` (encoder, decoder and their likelihood); ``training/`` (a prior alone, and networks
with a prior); ``dynamics`` (of several lags) and ``pixel_noise`` are fitted last.
``fitting`` runs all of these in order. ``model`` holds all that segmentation needs, in one file;
``checkpoint`` writes tensors; ``memory`` does less at once where a GPU's is full; ``process/`` infers
states and latents; ``segmentation`` labels a whole recording; ``clips`` draws movies from the model;
``scores/`` computes likelihoods of unseen animals.

Notation: B recordings, T ticks, D latent dimensions, K states; axes run (..., T, D) and (..., T,
K). Latents are whitened over the training frames, NaN where missing. Syllables are states numbered
by usage in training; 0 is the most frequent.
"""

__all__ = [
    "checkpoint",
    "choices",
    "clips",
    "discovery",
    "dynamics",
    "fitting",
    "latent_evidence",
    "memory",
    "model",
    "networks",
    "pixel_noise",
    "process",
    "scores",
    "segmentation",
    "settings",
    "training",
]
