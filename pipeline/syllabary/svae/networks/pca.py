"""The linear network: the components of ``reduce`` both ways; only the noise is learned."""

from .base import Decoder, Encoder, Settings

__all__ = ["Decoder", "Encoder", "Settings"]
