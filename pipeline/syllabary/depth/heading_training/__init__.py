"""Teach the network that finds the head: ``examples`` from simulated mice, and ``training``."""

__all__ = ["examples", "training"]
