"""The discrete chain on a GPU.

In reading order: ``calls`` (from tensors to launches), and the kernels: ``scaled`` and ``logs``
(passes), ``pairs`` (sums of pairs), ``tangent`` (derivatives of the marginals), ``paths``.
"""

__all__ = ["calls", "logs", "pairs", "paths", "scaled", "tangent"]
