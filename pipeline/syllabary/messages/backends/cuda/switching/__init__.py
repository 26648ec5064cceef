"""The filter of a switching process on a GPU: ``calls`` (how tensors are handed over), ``filtering``.

``moments`` has what a warp does for one state.
"""

__all__ = ["calls", "filtering", "moments"]
