"""How latents are believed to move: a file a model, and one interface for all.

``arhmm`` is MoSeq's own: a sticky chain of states, each with its autoregression. Files whose
names start with an underscore serve the models: ``_evidence`` (what a model is shown),
``_parameters``, ``_autoregression`` (a frame given its past), ``_population`` (what states have in
common), ``_sticky`` (transitions), ``_clusters`` (first guess), ``_merging`` (copies of a state).

A prior offers ``Settings`` and ``Parameters`` (a NamedTuple of tensors: the posterior of the
global parameters in natural form, and what their prior needs), and these functions:

- ``initial(settings, latents, lengths, rng)`` guesses parameters from the data
- ``infer(parameters, evidence, lengths, ...)`` returns the ``Local`` posterior of sequences,
  and with it ``statistics``, summed over all of them, for
- ``update(parameters, statistics, settings, rate=1.0)``, a natural-gradient step
- ``divergence(parameters, settings)`` of the global parameters from their prior, nats. The
  bound is minus the sum of the local divergences, minus this; no sweep lowers it
- ``adapt(parameters)`` learns what states have in common; it does not lower the bound either
- ``merge(parameters, statistics, settings, share)`` proposes to join states that are copies
- ``filter`` (one-step predictions) and ``sample``
- ``with_kappa(parameters, kappa)``, ``reorder(parameters, order)``, ``dimensions(parameters)``:
  other stickiness; other numbers for the states; D

Sequences run on axis -2 of latents (..., T, D) and of states (..., T, K); ``lengths`` (...)
tells how many frames count. z_t drives the step *into* frame t.
"""

__all__ = ["arhmm"]
