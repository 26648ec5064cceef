"""The defects of the legacy extraction: each test fails on the legacy formula and passes on ours."""

import json
import struct

import cv2
import numpy as np
from numpy.testing import assert_array_equal

from oracles.depth_scene import CAMERA, INTERVAL_MS, pear, render, stroll, write_session
from syllabary.depth import extraction
from syllabary.depth.heading import evidence, model
from syllabary.depth.heading_training import examples
from syllabary.depth.settings import ExtractSettings
from syllabary.records.crops import Crops


def tailed(along, across):
    """A pear with a thick tail, as high above the floor as a tail is not cleaned away by height."""
    tail = np.where((along < 0) & (along > -75) & (np.abs(across) < 4), 14.0, 0.0)
    return np.maximum(pear(along, across), tail)


def cleaned(crop):
    """Crops on which the legacy classifier was trained: median of 3, opened by a disc of 9 px."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    return cv2.morphologyEx(cv2.medianBlur(crop, 3), cv2.MORPH_OPEN, disc)


def test_13_the_flip_classifier_sees_what_it_was_trained_on(tmp_path, extract, monkeypatch, rng):
    x, y, heading = stroll(40)
    frames = [render(*p, body=tailed, rng=rng, noise_mm=1.0) for p in zip(x, y, heading, strict=True)]
    source = write_session(tmp_path / "m1", frames, 5e8 + INTERVAL_MS * np.arange(40))
    calls = []

    def spy(axis_rad, elongation, position_mm, time_s, features, settings):
        calls.append((axis_rad, features))
        return decode(axis_rad, elongation, position_mm, time_s, features, settings)

    decode = extraction.decode
    monkeypatch.setattr(extraction, "decode", spy)
    with Crops(extract(source)) as crops:
        raw = crops.heights()
    (axis, features), *_ = calls
    # Legacy: trained on cleaned crops, applied to raw ones. The tail, which is the plainest sign of the
    # rear, is not in the crops of the training.
    rear = np.s_[:, 34:46, :8]
    trained = np.stack([cleaned(crop) for crop in raw])
    assert (raw[rear] > 0).mean() > 5 * (trained[rear] > 0).mean() + 0.05
    # Ours: features of the training are bit for bit those of the extraction.
    settings = ExtractSettings.model_validate({"camera": CAMERA})
    ours = examples.of_recording(source, settings, heading)
    head_ahead = np.where(np.cos(axis - heading)[:, None] > 0, features, features * evidence.SIGNS)
    assert_array_equal(ours, head_ahead)


def test_13_weights_need_no_library_of_their_year():
    """Legacy classifiers are pickles that load with scikit-learn 0.20 alone."""
    content = model.SHIPPED.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    names = set(header) - {"__metadata__"}
    assert names == set(model.Network._fields)
    assert {header[name]["dtype"] for name in names} == {"F32"}
    assert len(content) == 8 + length + max(header[name]["data_offsets"][1] for name in names)
