"""The discrete chain on the processor.

In reading order: ``calls`` (from tensors to passes, and what happens where a pass fails), ``chunks``
(passes over chunks that advance side by side), and the kernels: ``scaled`` and ``logs`` (passes),
``tangent`` (derivatives of the marginals), ``paths``.
"""

__all__ = ["calls", "chunks", "logs", "paths", "scaled", "tangent"]
