"""Step ``check``: crops to a verdict. The verdicts are tested in ``depth/test_quality.py``."""

import json

import pytest

from syllabary.errors import BadSetting
from syllabary.steps import check


def test_crops_become_a_verdict_with_its_provenance(extracted, tmp_path):
    crops = extracted()
    check(crops=crops, quality=tmp_path / "quality.json", settings={"min_duration_s": 60})
    verdict = json.loads((tmp_path / "quality.json").read_text())
    assert verdict["verdict"] == "reject"
    assert verdict["provenance"]["settings"]["min_duration_s"] == 60
    assert set(verdict["provenance"]["inputs"]) == {"m1/crops.h5"}


def test_a_wrong_setting_is_named(extracted, tmp_path):
    with pytest.raises(BadSetting, match=r"setting check\.dropped_warn = 2"):
        check(crops=extracted(), quality=tmp_path / "quality.json", settings={"dropped_warn": 2})
