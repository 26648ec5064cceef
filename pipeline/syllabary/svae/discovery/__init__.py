"""Find the syllables before the networks are trained.

In reading order:

- ``coarsening``: an autoregressive HMM of many states, and the path from it to one state
- ``reproducibility``: the number of states that fits of different animals agree on
- ``linkage``: the tree of syllables
- ``discovery``: the algorithm

Notation: T ticks, K states, C classes of people.
"""

__all__ = ["coarsening", "discovery", "linkage", "reproducibility"]
