"""Sums and products that link the two chains, and what regressions are learned from."""

__all__ = ["moments", "products", "regression"]
