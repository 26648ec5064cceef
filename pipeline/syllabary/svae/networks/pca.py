"""The linear network: the components of ``reduce`` in both directions; only the noise is trained."""

from .base import Decoder, Encoder, Settings

__all__ = ["Decoder", "Encoder", "Settings"]
