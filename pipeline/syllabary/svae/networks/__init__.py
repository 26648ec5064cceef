"""Networks between crops and latents: a file per network, with one interface.

- ``pca``: linear; the components of ``reduce``, of which only the noise of each pixel is trained
- ``conv``: convolutions correct the linear network

In reading order: ``interface`` (the types of encoders, decoders and networks), ``base`` (the linear
network, from which the others derive), ``likelihood`` (samples of latents, and the likelihood of pixels)
``autoencoder`` (encoder and decoder of a model) and ``settings`` (of each network).

Before training every network equals the PCA. Frames are independent: a batch gives the same as its
frames one at a time.

Notation: N frames in any order, H x W pixels, D latent dimensions, whitened.
"""

# Modules that serve the others; every other file of the folder is one that users name.
SHARED: tuple[str, ...] = (
    "autoencoder",
    "base",
    "interface",
    "likelihood",
    "settings",
)

__all__ = ["SHARED"]
