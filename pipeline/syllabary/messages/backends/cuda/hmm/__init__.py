"""The discrete chain on a GPU: ``scaled`` and ``logs`` (passes), ``tangent``, ``paths``, ``pairs``."""

__all__ = ["logs", "pairs", "paths", "scaled", "tangent"]
