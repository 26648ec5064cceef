"""The section ``simulate`` of ``config.yaml``."""

from typing import Self

from pydantic import model_validator

from ..settings import Field, Settings

__all__ = [
    "CableSettings",
    "DropSettings",
    "MouseSettings",
    "NoiseSettings",
    "PinholeSettings",
    "RoundArenaSettings",
    "SimulateSettings",
    "TrackingErrorSettings",
]


class PinholeSettings(Settings):
    """A pinhole depth camera above the arena; defaults are those of a Kinect v2."""

    columns: int = Field(512, ge=64, description="Width of a frame, px.")
    rows: int = Field(424, ge=64, description="Height of a frame, px.")
    focal_px: float = Field(365.5, gt=0, description="Focal length, px.")
    center_x_px: float = Field(256.0, description="Column where the optical axis meets the frame, px.")
    center_y_px: float = Field(212.0, description="Row where the optical axis meets the frame, px.")
    height_mm: float = Field(673.0, ge=350, le=3000, description="Camera above the arena's center, mm.")
    tilt_x_deg: float = Field(0.4, ge=-10, le=10, description="Tilt of the floor along +x, degrees.")
    tilt_y_deg: float = Field(-0.3, ge=-10, le=10, description="Tilt of the floor along +y, degrees.")
    interval_ms: float = Field(33.03, gt=0, description="Time between two frames, ms.")


class RoundArenaSettings(Settings):
    """A round arena with a wall that may lean outward."""

    radius_mm: float = Field(200.0, ge=100, description="Radius of the floor, mm.")
    wall_height_mm: float = Field(150.0, ge=0, description="Height of the wall, mm.")
    wall_slant_deg: float = Field(12.0, ge=0, lt=60, description="Lean of the wall, degrees.")
    center_x_mm: float = Field(6.0, description="Arena's center right of the optical axis, mm.")
    center_y_mm: float = Field(-4.0, description="Arena's center below the optical axis, mm.")
    room_depth_mm: float = Field(1890.0, gt=0, description="Depth of the room around the arena, mm.")


class MouseSettings(Settings):
    """Size and habits of the animals."""

    length_mm: float = Field(
        84.0, ge=50, le=130, description="Nose to tail base of an average animal, mm."
    )
    width_mm: float = Field(33.0, ge=15, le=60, description="Width at the hips, mm.")
    height_mm: float = Field(34.0, ge=15, le=60, description="Height of the back, mm.")
    tail_mm: float = Field(70.0, ge=0, le=120, description="Length of the tail, mm.")
    build_sd: float = Field(
        0.05, ge=0, le=0.15, description="Spread of each dimension among animals, fraction."
    )
    tempo_sd: float = Field(
        0.06, ge=0, le=0.3, description="Spread of the tempo among animals, fraction."
    )
    strength_sd: float = Field(
        0.25, ge=0, le=0.6, description="Spread of amplitude among bouts, fraction."
    )
    posture_drift: float = Field(
        1.0, ge=0, le=2, description="Size of slow drifts of posture, 1 is lifelike."
    )

    tremor: float = Field(1.0, ge=0, le=3, description="Size of quick unsteadiness, 1 is lifelike.")


class NoiseSettings(Settings):
    """Noise and losses of the sensor."""

    temporal_sd_mm: float = Field(
        1.7, ge=0, le=20, description="Temporal noise in the middle of the floor, mm."
    )
    texture_sd_mm: float = Field(1.2, ge=0, le=20, description="Fixed pattern of the background, mm.")
    dropout: float = Field(
        5e-5, ge=0, le=1, description="Probability that a pixel of the floor is not measured."
    )
    edge_dropout: float = Field(
        0.03, ge=0, le=1, description="Probability that a pixel of the animal's outline is not measured."
    )
    flying: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Fraction of outline pixels whose depth lies between animal and floor.",
    )
    reflections: float = Field(
        0.3, ge=0, le=1, description="Strength of the animal's mirror image in the wall."
    )


class TrackingErrorSettings(Settings):
    """Errors of tracking in crops that are rendered directly, not cut out of raw video.

    Each error has a part that is new in every frame and a slow part that is forgotten within
    ``memory_s``. ``measured`` returns the sizes that ``extract`` was measured to make.
    """

    position_sd_mm: float = Field(
        0.0, ge=0, le=20, description="New error of the position along each axis of the arena, SD, mm."
    )
    along_sd_mm: float = Field(
        0.0, ge=0, le=20, description="New error of the position along the body, SD, mm."
    )
    across_sd_mm: float = Field(
        0.0, ge=0, le=20, description="New error of the position across the body, SD, mm."
    )
    heading_sd_deg: float = Field(0.0, ge=0, le=45, description="New error of the heading, SD, degrees.")
    slow_along_sd_mm: float = Field(
        0.0, ge=0, le=20, description="Slow error of the position along the body, SD, mm."
    )
    slow_across_sd_mm: float = Field(
        0.0, ge=0, le=20, description="Slow error of the position across the body, SD, mm."
    )
    slow_heading_sd_deg: float = Field(
        0.0, ge=0, le=45, description="Slow error of the heading, SD, degrees."
    )
    memory_s: float = Field(
        0.26, gt=0, description="Time after which a slow error has fallen to 37 %, s."
    )

    @classmethod
    def measured(cls, factor: float = 1.0) -> Self:
        """Return the errors of ``extract``, measured on a second simulated mouse.

        The new part there was 0.42 mm along and 0.21 mm across the body and 1.4 degrees; with the slow
        part 0.60 mm, 0.31 mm and 4.0 degrees, autocorrelated 0.5, 0.4, 0.28 and 0.1 after 1, 2, 5 and 15
        frames of 33 ms.
        """
        return cls(
            along_sd_mm=0.42 * factor,
            across_sd_mm=0.21 * factor,
            heading_sd_deg=1.4 * factor,
            slow_along_sd_mm=0.43 * factor,
            slow_across_sd_mm=0.23 * factor,
            slow_heading_sd_deg=3.75 * factor,
        )


class CableSettings(Settings):
    """A cable from the neck of the animal upward."""

    diameter_mm: float = Field(0.0, ge=0, le=10, description="Diameter of the cable, mm; 0 = no cable.")
    height_mm: float = Field(
        110.0,
        ge=60,
        le=120,
        description="Mean height of the cable at the border of the crop, mm.",
    )
    sway: float = Field(1.0, ge=0, le=2, description="Size of slow drifts of the cable, 1 is lifelike.")


class DropSettings(Settings):
    """Frames that the acquisition program loses."""

    single: float = Field(0.001, ge=0, le=0.9, description="Probability that one frame is lost.")
    run: float = Field(
        0.0002, ge=0, le=0.05, description="Probability that a run of lost frames begins."
    )
    longest_run: int = Field(5, ge=2, le=300, description="Longest run, frames.")


class SimulateSettings(Settings):
    """A simulated recording."""

    duration_s: float = Field(60.0, gt=0, le=86400, description="Length of a recording, s.")
    world: int | None = Field(
        None,
        ge=0,
        description="Seed of an animal whose movements are drawn at random; null = the usual mouse.",
    )
    camera: PinholeSettings = PinholeSettings()
    arena: RoundArenaSettings = RoundArenaSettings()
    mouse: MouseSettings = MouseSettings()
    noise: NoiseSettings = NoiseSettings()
    cable: CableSettings = CableSettings()
    drops: DropSettings = DropSettings()
    tracking: TrackingErrorSettings = TrackingErrorSettings()

    @property
    def ticks(self) -> int:
        """Number of camera ticks, at least 2."""
        return max(2, round(self.duration_s * 1000 / self.camera.interval_ms))

    @model_validator(mode="after")
    def _camera_is_above_the_wall(self) -> Self:
        if self.arena.wall_height_mm > self.camera.height_mm - 100:
            raise ValueError(
                f"the wall ({self.arena.wall_height_mm:g} mm) must end 100 mm below the camera "
                f"({self.camera.height_mm:g} mm); lower arena.wall_height_mm or raise camera.height_mm"
            )
        if self.arena.radius_mm < 1.3 * self.mouse.length_mm:
            raise ValueError(
                f"a mouse of {self.mouse.length_mm:g} mm cannot turn in an arena of radius "
                f"{self.arena.radius_mm:g} mm; raise arena.radius_mm"
            )
        return self
