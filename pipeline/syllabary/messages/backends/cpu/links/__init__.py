"""What links the two chains on the processor.

In reading order: ``regression`` (how well each state explains a frame), ``products`` (what one chain
gives the other), ``moments`` (the sums that regressions are learned from).
"""

__all__ = ["moments", "products", "regression"]
