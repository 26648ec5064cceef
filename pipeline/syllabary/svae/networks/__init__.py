"""From crops to latents and back: a file a network, and one interface for all.

``pca`` is linear: the components of ``reduce``, with nothing to learn but the noise of each
pixel. ``conv`` adds convolutions that correct it. ``_skip`` is what all networks start from:
before the first step of training every network is the PCA, exactly.

A network offers ``Settings``, ``Encoder`` and ``Decoder`` (``torch.nn.Module``, float32):

- ``Encoder(settings, reduction, rng)``, called with heights (N, H, W) in mm, which of them are
  observed (N, H, W) and the PCA's means and information (N, D), returns the mean (N, D) and the
  precision (N, D) of a Gaussian potential on the latents of each frame; precision 0 says nothing
- ``Decoder(settings, reduction, rng)``, called with latents (N, D), returns the heights (N, H, W)
  in mm that they stand for; ``log_variance()`` is the noise of each pixel, (H, W); ``used`` (H, W)
  tells which pixels are modeled, ``outliers`` which share of them is something else's

``reduction`` is a ``Pca``, or whatever has its arrays. Frames do not see each other: a batch gives
what its frames give one by one. Every initial weight is drawn from ``rng``.

Notation: N frames in any order, H x W pixels, D latent dimensions, whitened.
"""

# Modules that serve the others; every other file of the folder is one that users name.
SHARED: tuple[str, ...] = (
    "autoencoder",
    "base",
    "likelihood",
)

__all__ = ["SHARED"]
