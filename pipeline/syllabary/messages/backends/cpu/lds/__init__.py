"""The Gaussian chain on the processor.

In reading order: ``calls``, ``chunks`` (chunks side by side, and their boundaries), and the kernels:
``vectorized`` and ``tangent``, made of ``matrices`` in ``columns``, and ``scalar``, plain loops for what
vectors do not help.
"""

__all__ = ["calls", "chunks", "columns", "matrices", "scalar", "tangent", "vectorized"]
