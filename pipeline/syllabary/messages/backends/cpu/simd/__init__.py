"""Vectors of the processor as values of numba.

In reading order: ``vectors`` (loads, stores, arithmetic), ``exponentials``, ``tiles`` (rows of
products), ``sums`` (loops of sums in registers), ``small_products`` (products of small matrices) and
``emitting`` (types of the parts of intrinsics). A lane is an element of a vector.
"""

__all__ = ["emitting", "exponentials", "small_products", "sums", "tiles", "vectors"]
