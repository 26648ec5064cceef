"""Exponential families of the global parameters, and of a Gaussian latent.

Read ``dirichlet`` (a row of the transition matrix), ``gaussian`` (a latent), ``mniw`` (a
regression: weights and noise), ``niw`` (mean and noise; a regression on the constant 1).

Each file is one family: ``Natural``, ``Statistics`` and ``Standard`` are NamedTuples of
float64 tensors, batched over leading axes, and five functions act on them:

- ``log_normalizer(natural)``, nats
- ``expected_stats(natural)``, the statistics' means
- ``from_standard(standard)`` and ``to_standard(natural)``, the textbook parameters
- ``divergence(q, p)``, Kullback-Leibler, nats

``Natural`` and ``Statistics`` have the same fields in the same order: entry i of the first is
the literal coefficient of entry i of the second in the log density. So for every family **the
gradient of** ``log_normalizer`` **is** ``expected_stats``, and a conjugate update adds the data's
sums to the natural parameters, field by field. A matrix that is not positive definite raises
``torch.linalg.LinAlgError``. It can result from an update whose step was too large.

Notation: D dimensions of an observation x, p of its regressor s, x = W s + noise of
covariance Q; K entries of a probability vector.
"""

__all__ = ["dirichlet", "gaussian", "mniw", "niw"]
