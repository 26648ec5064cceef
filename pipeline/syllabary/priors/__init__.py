"""How latents are believed to move: a file a model, and one interface for all.

Models are made of the same blocks: states in a chain or each for itself, latents in a chain or
each for itself or known exactly, and a regression that links them.

- ``arhmm``: MoSeq's own; latents known exactly, each state an autoregression of L lags
- ``slds``: latents seen with noise and moving by their state's linear dynamics
- ``lds``: one motion for all; ``hmm``: postures that dwell; ``gmm``: postures, and no time

Files whose names start with an underscore serve the models: ``_evidence`` (what a model is shown
and finds), ``_parameters``, ``_autoregression`` (a frame given its past), ``_switching`` (latents and
states at their optimum), ``_population`` (what states have in common), ``_sticky`` (transitions),
``_natural`` (steps that stay laws), ``_start`` and ``_clusters`` (first guess), ``_merging`` (copies of
a state).

A prior offers ``Settings``, ``Parameters`` (a NamedTuple of tensors: the posterior of the global
parameters in natural form, and what their prior needs), ``Evidence`` (the kind it is shown), and

- ``initial(settings, latents, lengths, rng)`` guesses parameters from the data
- ``infer(parameters, evidence, lengths, ...)`` returns the ``Local`` posterior of sequences,
  and with it ``statistics``, summed over all of them, for
- ``update(parameters, statistics, settings, rate=1.0, cotangent=None)``, a natural-gradient step
- ``tangent(parameters, local, cotangent)`` sends a gradient by the marginals back to the evidence
  and, as what ``update`` takes, to the parameters
- ``divergence(parameters, settings)`` of the global parameters from their prior, nats. The bound
  is the sum of the local bounds, minus this; no sweep lowers it
- ``update_hyperparameters(parameters)`` learns what states have in common; it does not lower the
  bound either
- ``filter`` (one-step predictions) and ``sample``
- ``reorder(parameters, order)``, ``dimensions(parameters)``: other numbers for the states; D

and where it has them ``with_kappa`` (other stickiness), ``merge`` (proposes to join states that are
copies), ``from_autoregression`` (takes over what an AR-HMM of one lag has learned), ``rescale_latents``
(other units of the latents).

Sequences run on axis -2 of latents (..., T, D) and of states (..., T, K); ``lengths`` (...)
tells how many frames count. z_t drives the step *into* frame t.
"""

# Modules that serve the others; every other file of the folder is one that users name.
SHARED: tuple[str, ...] = (
    "blocks",
    "interface",
)

__all__ = ["SHARED"]
