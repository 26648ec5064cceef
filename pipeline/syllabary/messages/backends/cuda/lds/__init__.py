"""The Gaussian chain on a GPU: ``sweeps``, and ``tangent`` (draws and derivatives)."""

__all__ = ["sweeps", "tangent"]
