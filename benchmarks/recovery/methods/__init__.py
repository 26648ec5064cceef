"""Compared methods, a file each; ``_points`` is shared by several."""
