"""Crops to latents: registration, principal components, motion.

In reading order: ``settings``; ``frames`` (training frames, drawn from the crops), ``outliers``
(pixels that do not belong to the animal), ``template``, ``alignment`` and ``template_learning`` (crops
aligned with a template), ``registration`` (crops laid on it), ``pca``
(principal components with missing pixels), ``kinematics`` (speed and turning), ``coordinates``,
``latents`` (what the models see of a recording), and ``reduction``, which puts them together.

Notation: T ticks, H and W rows and columns of a crop, D latent dimensions. Latents are whitened
over the training frames, NaN where missing.
"""

__all__ = [
    "alignment",
    "coordinates",
    "frames",
    "kinematics",
    "latents",
    "outliers",
    "pca",
    "reduction",
    "registration",
    "settings",
    "template",
    "template_learning",
]
