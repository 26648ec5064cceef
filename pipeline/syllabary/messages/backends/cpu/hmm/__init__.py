"""The discrete chain on the processor.

In reading order: ``calls`` (from tensors to passes, and what is done where one fails), ``chunks`` (which
chunks are swept together, and their boundaries), ``cuts`` (where the chunks are), and the kernels:
``scaled`` and ``logs`` (passes), ``tangent`` (derivatives of the marginals), ``paths``.
"""

__all__ = ["calls", "chunks", "cuts", "logs", "paths", "scaled", "tangent"]
