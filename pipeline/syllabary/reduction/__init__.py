"""Compute latents from crops: registration, principal components and motion.

In reading order:

- ``settings``: of the step ``reduce``
- ``latents``: the record that the models are trained on
- ``frames``: a sample of training frames
- ``outliers``: pixels that show a cable instead of the animal
- ``template``, ``alignment`` and ``template_learning``: a template of crops, the shifts of crops
  against it, and how it is learned
- ``registration``: crops moved back by their shifts
- ``coordinates``, ``pca`` and ``pca_fitting``: principal components of crops with missing pixels
- ``kinematics``: forward speed, sideways speed and turning
- ``study_clock``: the rate at which models of a study read recordings
- ``reduction``: all steps in one record, fitted, saved and loaded

Notation: T ticks, n frames, H and W rows and columns of a crop, P used pixels, D latent dimensions.
Latents are whitened over the training frames, and NaN where missing. Shifts are px, px and rad.
"""

__all__ = [
    "alignment",
    "coordinates",
    "frames",
    "kinematics",
    "latents",
    "outliers",
    "pca",
    "pca_fitting",
    "reduction",
    "registration",
    "settings",
    "study_clock",
    "template",
    "template_learning",
]
