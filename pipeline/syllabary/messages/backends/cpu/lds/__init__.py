"""The Gaussian chain on the processor.

In reading order: ``calls`` (from tensors to passes), ``chunks`` (passes over chunks, one in each lane),
and the kernels: ``vectorized`` and ``tangent``, which consist of ``matrices`` in ``columns``, and
``scalar``, plain loops over one sequence.
"""

__all__ = ["calls", "chunks", "columns", "matrices", "scalar", "tangent", "vectorized"]
