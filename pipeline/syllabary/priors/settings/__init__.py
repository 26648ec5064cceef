"""Settings of each prior, apart from the prior: a study is checked without importing the mathematics.

A file has the name of its prior, ``Settings``, and ``TRAINS_NETWORKS``, whether the prior is an
``interface.NetworkPrior``. ``sticky`` has the settings that several share. A prior without a file here
offers both itself.
"""

# Modules that serve the others; every other file of the folder is named as its prior.
SHARED: tuple[str, ...] = ("sticky",)

__all__ = ["SHARED"]
