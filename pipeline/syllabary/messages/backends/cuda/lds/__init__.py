"""The Gaussian chain on a GPU.

In reading order: ``calls`` (from tensors to launches), and the kernels: ``passes`` (forward and
backward) and ``tangent`` (samples and derivatives).
"""

__all__ = ["passes", "tangent"]
