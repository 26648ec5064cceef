"""Train the network that finds the head: ``examples`` from simulated mice, then ``training``."""

__all__ = ["examples", "training"]
