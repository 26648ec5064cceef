"""Settings of the linear network."""

from ...settings import NetworkSettings as Settings

__all__ = ["Settings"]
