"""The filter of a switching process on the processor.

In reading order: ``calls`` (from tensors to sequences), ``filtering`` (the loop over frames),
``scoring`` (all states at once, eight in each vector) and ``collapsing`` (one Gaussian for all).
"""

__all__ = ["calls", "collapsing", "filtering", "scoring"]
