"""How accurate are position, heading, head end, lost frames and heights of the first pass?

Raw recordings of simulated mice are tracked, and the results are compared with the simulation. The mice
are young to large, without and with a cable, and frames are lost. Each line is a recording:

    centroid   median distance from the center of the ground that trunk and head cover, mm, by their
               outline from straight above, drawn at 1 mm per pixel (every 10th frame)
    heading    median angle from the true heading, degrees, up to the head end
    wrong      share of frames with head and tail exchanged, %
    sure       share of frames with confidence >= 0.9, %, and share of these that are wrong, %
    found      share of frames with a detected mouse, %
    drops      share of lost frames that were detected, %, and number of other ticks called lost
    heights    root mean square of height in the crop minus height of the noiseless surface, mm, over
               crop pixels whose neighborhood in the image is the true mouse without a cable in front
               (every 10th frame)

    python benchmarks/tracking.py [--fresh] [--seconds 60] [--seeds 1 2 3] [--scratch DIR] [--keep]
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from results import add

from syllabary.depth import sources
from syllabary.depth.arena import background
from syllabary.depth.arena import geometry as arenas
from syllabary.depth.crops import Cutter
from syllabary.depth.heading.decode import decode
from syllabary.depth.lens import camera
from syllabary.depth.settings import ExtractSettings
from syllabary.depth.timing import ticks
from syllabary.depth.tracking import first_pass
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.simulate import acquisition, body, motion, rendering
from syllabary.simulate.settings import SimulateSettings

DEVELOPMENT, FRESH = (1, 2, 3), (601, 602, 603, 604, 605, 606)
# Factors of length, width, height and tail of an average adult, from a weanling to a large male.
SMALLEST, LARGEST = 0.72, 1.2
ADULT = {"length_mm": 84.0, "width_mm": 33.0, "height_mm": 34.0, "tail_mm": 70.0}
CABLE = {"diameter_mm": 4.0}
DROPS = {"single": 0.02, "run": 0.003}
EVERY = 10


def cases(seeds: tuple[int, ...], seconds: float) -> list[tuple[int, float, bool, SimulateSettings]]:
    """Return cases: each seed has a different size, without and with a cable."""
    sizes = np.linspace(SMALLEST, LARGEST, len(seeds)) if len(seeds) > 1 else [1.0]
    return [
        (seed, float(size), cable, simulated(float(size), cable, seconds))
        for seed, size in zip(seeds, sizes, strict=True)
        for cable in (False, True)
    ]


def simulated(size: float, cable: bool, seconds: float) -> SimulateSettings:
    return SimulateSettings.model_validate({
        "duration_s": seconds,
        "mouse": {name: value * size for name, value in ADULT.items()},
        "cable": CABLE if cable else {},
        "drops": DROPS,
    })  # fmt: skip


def calibrated(settings: SimulateSettings) -> ExtractSettings:
    """Return default settings with the calibration of the simulated camera."""
    lens = settings.camera
    return ExtractSettings.model_validate({
        "camera": {
            "fx_px": lens.focal_px, "fy_px": lens.focal_px,
            "cx_px": lens.center_x_px, "cy_px": lens.center_y_px,
        }
    })  # fmt: skip


def measure(
    settings: SimulateSettings, seed: int, folder: Path
) -> tuple[dict[str, float], pd.DataFrame]:
    """Simulate, track and compare; the second value has a row per frame."""
    who = {"recording": f"m{seed}", "subject": f"s{seed}", "group": "control", "seed": seed}
    acquisition.record(folder, settings, **who, provenance=Provenance("simulate", {}, seed, {}, ""))
    truth = tables.read(folder / "truth.parquet", tables.TRUTH)
    chosen = calibrated(settings)
    with sources.open_recording(folder, chosen.source) as video:
        clock = ticks.from_timestamps(video.timestamps_s)
        empty = background.estimate(video, chosen.background)
        arena = arenas.find(
            empty, camera.from_settings(chosen.camera, video.shape), chosen.arena, where=folder
        )
        track, _ = first_pass.locate(
            video, arena, chosen.tracking, block_frames=64, recording=who["recording"]
        )
        headings = decode(
            track.axis_rad, track.elongation, np.stack([track.x_mm, track.y_mm], axis=-1),
            video.timestamps_s, track.features, chosen.heading,
        )  # fmt: skip
        kept = truth[~truth["dropped"]].reset_index(drop=True)
        performed = motion.perform(settings, **who)
        tick_of = np.flatnonzero(~truth["dropped"].to_numpy())
        off = heights(settings, chosen, video, arena, track, headings.heading_rad, performed, tick_of)
        center = ground(performed, tick_of)
    frames = pd.DataFrame({
        "x_mm": track.x_mm - center[:, 0], "y_mm": track.y_mm - center[:, 1],
        "turn_rad": np.angle(np.exp(1j * (headings.heading_rad - kept["heading_rad"]))),
        "confidence": headings.confidence, "behavior": kept["behavior"],
        "truth_rad": kept["heading_rad"], "time_s": video.timestamps_s,
    })  # fmt: skip
    detected = frames["turn_rad"].notna()
    wrong = (frames["turn_rad"].abs() > np.pi / 2)[detected]
    sure = frames["confidence"][detected] >= 0.9
    axis = np.abs((frames["turn_rad"] + np.pi / 2) % np.pi - np.pi / 2)
    lost = truth["dropped"].to_numpy()
    called = clock.frame < 0
    together = len(called) == len(lost)
    return {
        "centroid": float(np.hypot(frames["x_mm"], frames["y_mm"]).median()),
        "heading": float(np.rad2deg(axis.median())),
        "wrong": 100 * float(wrong.mean()),
        "sure": 100 * float(sure.mean()),
        "sure wrong": 100 * float(wrong[sure].mean()),
        "found": 100 * float(detected.mean()),
        "drops": 100 * float(called[lost].mean()) if together else 0.0,
        "false drops": float(called[~lost].sum()) if together else float("nan"),
        "heights": off,
    }, frames  # fmt: skip


def ground(performed: motion.Motion, tick_of: np.ndarray) -> np.ndarray:
    """Return the center of the ground that trunk and head cover, (F, 2) mm, in every 10th frame.

    The camera is so far above that there is no perspective. The truth of the simulator approximates
    the center by ellipses, with an error of 1 mm.
    """
    side, far = 200, 1e6
    above = rendering.Pinhole(
        side,
        side,
        far,
        (side - 1) / 2,
        (side - 1) / 2,
        np.diag([1.0, 1.0, -1.0]),
        np.array([0.0, 0.0, far]),
    )
    center = np.full((len(tick_of), 2), np.nan)
    for frame in range(0, len(tick_of), EVERY):
        tick = int(tick_of[frame])
        place, heading = (
            np.array([performed.x_mm[tick], performed.y_mm[tick]]),
            performed.heading_rad[tick],
        )
        centers, shapes = (
            part[0, : body.AXIAL] for part in motion.solids(performed, slice(tick, tick + 1))
        )
        depth = np.zeros((side, side), np.float32)
        rendering.depth_of(*rendering.to_camera(centers, shapes, 0, 0, heading, above), above, depth)
        rows, columns = np.nonzero(depth)
        center[frame] = place + np.array([columns.mean(), rows.mean()]) - (side - 1) / 2
    return center


def heights(settings, chosen, video, arena, track, heading_rad, performed, tick_of) -> float:
    """Compare crops with the noiseless surface, except where the cable hides the mouse."""
    lens = rendering.camera_of(settings.camera, settings.arena)
    cutter = Cutter(arena, chosen.tracking, chosen.crop)
    row, column = np.mgrid[: lens.rows, : lens.columns]
    ray = np.stack([(column - lens.center_x_px) / lens.focal_px,
                    (row - lens.center_y_px) / lens.focal_px, np.ones(row.shape)], -1)  # fmt: skip
    bare = performed._replace(cable=None)
    size, total, count = chosen.crop.size_px, 0.0, 0
    steps = (np.arange(size) - (size - 1) / 2) * chosen.crop.pixel_mm
    for frame in np.flatnonzero(track.detected)[::EVERY]:
        tick = int(tick_of[frame])
        centers, shapes = motion.solids(bare, slice(tick, tick + 1))
        depth = np.zeros((lens.rows, lens.columns), np.float32)
        place = bare.x_mm[tick], bare.y_mm[tick], bare.heading_rad[tick]
        rendering.depth_of(*rendering.to_camera(centers[0], shapes[0], *place, lens), lens, depth)
        above = ((ray * depth[..., None] - lens.origin) @ lens.rotation)[..., 2]
        mouse = (depth > 0) & (above > chosen.tracking.min_height_mm)
        if performed.cable is not None:
            centers, shapes = motion.solids(performed, slice(tick, tick + 1))
            cable = np.zeros_like(depth)
            parts = rendering.to_camera(
                centers[0, body.SOLIDS :], shapes[0, body.SOLIDS :], *place, lens
            )
            rendering.depth_of(*parts, lens, cable)
            # Pixels beside the cable mix both.
            mouse &= cv2.dilate((cable > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
        # Image pixel of each crop pixel by the true camera, from the crop's center on the floor.
        x_px, y_px, heading = track.x_px[frame], track.y_px[frame], heading_rad[frame]
        way = lens.rotation.T @ [
            (x_px - lens.center_x_px) / lens.focal_px,
            (y_px - lens.center_y_px) / lens.focal_px,
            1,
        ]
        eye = -lens.rotation.T @ lens.origin
        center = eye - eye[2] / way[2] * way
        along, across = np.meshgrid(steps, steps)
        floor = np.stack([
            center[0] + np.cos(heading) * along - np.sin(heading) * across,
            center[1] + np.sin(heading) * along + np.cos(heading) * across,
            np.zeros_like(along)], -1)  # fmt: skip
        pixels = rendering.project(floor, lens).astype(np.float32)
        true = cv2.remap(
            np.where(mouse, above, 0).astype(np.float32),
            pixels[..., 0],
            pixels[..., 1],
            cv2.INTER_LINEAR,
        )
        inside = (
            cv2.remap(mouse.astype(np.float32), pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR) > 0.999
        )
        crop = cutter.cut(video.read(frame, frame + 1)[0], x_px, y_px, heading)
        use = inside & crop.observed
        total += float(((crop.heights[use] - true[use]) ** 2).sum())
        count += int(use.sum())
    return float(np.sqrt(total / max(count, 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fresh", action="store_true", help="the seeds of published results")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--scratch", type=Path, help="folder of raw recordings, which are deleted after use"
    )
    parser.add_argument("--keep", action="store_true", help="add the results to results.csv")
    arguments = parser.parse_args()
    seeds = tuple(arguments.seeds or (FRESH if arguments.fresh else DEVELOPMENT))
    rows = []
    for seed, size, cable, settings in cases(seeds, arguments.seconds):
        folder = Path(tempfile.mkdtemp(dir=arguments.scratch))
        try:
            errors, _ = measure(settings, seed, folder / "raw")
        finally:
            shutil.rmtree(folder)
        case = f"seed {seed}, size {size:.2f}" + (", cable" if cable else "")
        rows.append({"case": case, "cable": cable, **errors})
        print(
            pd.DataFrame(rows[-1:]).drop(columns="cable").round(2).to_string(header=len(rows) == 1),
            flush=True,
        )
        if arguments.keep:
            for name, value in errors.items():
                add("tracking", case, name, value)
    table = pd.DataFrame(rows)
    print(table.groupby("cable").mean(numeric_only=True).round(2).to_string())


if __name__ == "__main__":
    main()
