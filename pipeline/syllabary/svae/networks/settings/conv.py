"""Settings of the convolutional networks."""

from ....settings import Field
from ...settings import NetworkSettings

__all__ = ["Settings"]


class Settings(NetworkSettings):
    """Settings of the convolutional networks."""

    channels: tuple[int, ...] = Field(
        (16, 32, 64, 64),
        min_length=1,
        max_length=6,
        description="Feature maps of each stage; every stage halves the sides of the crop.",
    )
    hidden: int = Field(256, ge=1, description="Units of the layer between images and latents.")
