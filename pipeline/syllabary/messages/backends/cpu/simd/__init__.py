"""Vectors of the processor as values of numba: ``vectors``, ``tiles``, ``sums``, ``small_products``."""

__all__ = ["small_products", "sums", "tiles", "vectors"]
