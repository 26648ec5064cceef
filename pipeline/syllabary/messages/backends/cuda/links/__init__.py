"""What links the two chains on a GPU: ``products``, dense products and sums over frames by torch."""

__all__ = ["products"]
