"""When frames were taken: ``clocks`` (which numbers are times), ``ticks`` (times to a regular clock)."""

__all__ = ["clocks", "ticks"]
