"""Log likelihoods of held-out recordings, comparable between models of every kind.

Every model is read as one kind of generative process: a chain of states, latents of L lags that
move by their state, and a decoder with noise of each pixel, all at their posterior means. Latents
that training took as points have uncertainty here, as in every other model. So all scores are in
nats and with the same freedom of noise. They are of the same pixels if models see the same crops. A
model that registers crops is scored on registered crops. Interpolation averages their noise and
fewer pixels count, so its likelihoods must not be compared with those of a model that does not
register.

- ``bound``: of whole recordings, by the model's own encoder
- ``importance``: of short clips, a bound that tightens with samples up to the log likelihood
- ``prediction``: of future frames, in pixels and in components

In reading order: ``observation_models`` (densities of measured frames), ``recording``, ``bound``,
``importance``, ``prediction``, ``table`` (all scores of a recording). Inference is in ``svae.process``.

Notation: N sequences of T frames, K states, D latent dimensions of which the first are the pose
that is decoded, L lags, S samples.
"""

from .bound import bound
from .importance import iwae
from .prediction import predictive
from .recording import Recording, open_recording
from .table import table

__all__ = ["Recording", "bound", "iwae", "open_recording", "predictive", "table"]
