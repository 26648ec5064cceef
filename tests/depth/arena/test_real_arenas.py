"""Floors of two real arenas, against outlines drawn by hand before any mask was seen.

The floor of the chamber rises toward its far end, without an edge; its outline ends where the
eye leaves the level part. Columns and rows are whole at pixel centers.
"""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from syllabary.depth.arena import geometry
from syllabary.depth.lens import camera
from syllabary.depth.settings import ArenaSettings, CameraSettings

OUTLINES = {
    "bucket": """
        265.5,108.5 285,111 305.5,118 324.5,127.5 344.5,140.5 354.5,150.5 366.5,163.5 375.5,181.5
        383.5,203.5 385,227.5 383.5,258.5 376.5,276.5 367.5,292.5 353.5,308.5 334.5,324.5 314.5,337.5
        290.5,345.5 265.5,347.5 244.5,345.5 222.5,338.5 194.5,322.5 174.5,306.5 160.5,288.5
        153.5,276.5 146.5,258.5 144,236.5 144,223.5 145.5,200.5 155,179.5 165,160 175,149 184.5,139
        204.5,125 224.5,116.5 245,110.5""",
    "chamber_gradient": """
        197,100 201,84 206,76 213,68 220,60 230,55 240,57 246,64 262,68 274,68 288,64 297,57 306,58
        312,62 320,68 326,63 336,62 344,70 345,120 345,318 340,320 205,320 199,318 198,270""",
}
# Of one frame, as the real recording has it, mm.
NOISE_MM = 1.7
FRAMES = 100
DESCRIPTION = 270  # of a TIFF


def background(real_data, name):
    """The stored background in mm, not rounded."""
    with Image.open(real_data / f"bground_{name}.tiff") as image:
        scale_factor = json.loads(image.tag_v2[DESCRIPTION])["scale_factor"]
        counts = np.array(image).astype(float)
    return counts / float(scale_factor)


def arena_of(depth_mm, name):
    whole = np.rint(depth_mm).astype(np.uint16)
    lens = camera.from_settings(CameraSettings(), whole.shape)
    return geometry.find(whole, lens, ArenaSettings(), where=name)


def outlined(name, shape):
    corners = np.array([p.split(",") for p in OUTLINES[name].split()], float)
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(corners * 16).astype(np.int32)], 1, shift=4)
    return mask.astype(bool)


@pytest.mark.parametrize("name", OUTLINES)
def test_mask_is_what_a_person_outlines(real_data, name):
    depth = background(real_data, name)
    drawn, mask = outlined(name, depth.shape), arena_of(depth, name).mask
    assert (drawn & mask).sum() / (drawn | mask).sum() >= 0.95


@pytest.mark.parametrize("name", OUTLINES)
def test_floor_is_near_its_plane(real_data, name):
    depth = background(real_data, name)
    result = arena_of(depth, name)
    off = (depth * result.slant - result.floor_plane[3])[result.mask & (depth > 0)]
    assert np.sqrt(np.mean(off**2)) <= 4


@pytest.mark.parametrize("name", OUTLINES)
def test_other_frames_find_the_same_mask(real_data, name):
    """The fit draws nothing at random: only the frames that made the background can change it."""
    depth = background(real_data, name)
    mask = arena_of(depth, name).mask
    # The median of n normal numbers spreads sqrt(pi / 2 n) as much as one of them.
    spread_mm = NOISE_MM * np.sqrt(np.pi / 2 / FRAMES)
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(0, spread_mm, depth.shape)
        other = arena_of(np.where(depth > 0, depth + noise, 0), name).mask
        assert (other != mask).sum() <= 0.001 * mask.sum()
