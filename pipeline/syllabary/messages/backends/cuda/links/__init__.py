"""Dense products and sums over frames on a GPU, by torch."""

__all__ = ["products"]
