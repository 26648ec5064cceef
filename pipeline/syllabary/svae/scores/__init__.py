"""What a model gives held-out recordings: log likelihoods that compare models of every kind.

Every model is read as one and the same process: states in a chain, latents of L lags that move by
their state, and a decoder with its noise of each pixel, all at their posterior means. Latents that
training took as points are latents here like any other. So all scores are in nats, with the same
freedom of noise, and of the same pixels where models see the same crops. A model that registers
crops is scored on moved ones: their noise is averaged by interpolation and fewer pixels count, so
its likelihoods are not to be compared with those of a model that does not.

- ``bound``: of whole recordings, by the model's own recognizer
- ``importance``: of short clips, a bound that tightens with samples until it is the log likelihood
- ``prediction``: of frames to come, in pixels and in components

In reading order: ``process`` (a model as a process), ``views`` (what is measured of a frame),
``chain`` (latents given states, states given latents), ``filtering``
(both, given the frames so far), ``recording``, ``bound``, ``importance``, ``prediction``,
``table`` (all scores of a recording).

Notation: N sequences of T frames, K states, D latent dimensions of which the first are the pose
that is decoded, L lags, S samples.
"""

from .bound import bound
from .importance import iwae
from .prediction import predictive
from .recording import Recording, open_recording
from .table import table

__all__ = ["Recording", "bound", "iwae", "open_recording", "predictive", "table"]
