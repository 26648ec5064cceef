import json
import re

import pytest

from syllabary import study
from syllabary.errors import BadSetting
from syllabary.settings import CONSTANT, RENAMED, SPELLINGS, Field, Settings, read
from syllabary.simulate.settings import PinholeSettings
from syllabary.svae.settings import DiscoverySettings, ModelSettings, TrainingSettings


class Inner(Settings):
    floor_mm: float = Field(10, gt=0)


class Outer(Settings):
    inner: Inner = Inner()
    count: int = 3


def test_empty_section_is_the_defaults():
    assert read(Outer, None, "outer") == Outer()


def test_every_wrong_key_is_named_with_its_path_and_the_nearest_right_one():
    with pytest.raises(BadSetting) as error:
        read(Outer, {"inner": {"flor_mm": 1}, "count": "many"}, "outer")
    message = str(error.value)
    assert "unknown setting outer.inner.flor_mm; did you mean 'floor_mm'?" in message
    assert "setting outer.count = 'many'" in message


def test_a_value_out_of_range_says_what_was_found():
    with pytest.raises(BadSetting, match=r"outer\.inner\.floor_mm = -1: .*greater than 0"):
        read(Outer, {"inner": {"floor_mm": -1}}, "outer")


def test_settings_cannot_change():
    with pytest.raises(ValueError, match="frozen"):
        Outer().count = 4


SECTIONS = (ModelSettings, TrainingSettings, DiscoverySettings)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_gets_the_new_one_and_is_not_accepted(old, new):
    section = next(section for section in SECTIONS if new in section.model_fields)
    unit = ", in seconds" if old == "bridge_frames" else ""
    with pytest.raises(BadSetting, match=f"^setting m.{old} is now called {new!r}{unit}; rename it.$"):
        read(section, {old: 1}, "m")


@pytest.mark.parametrize("name", CONSTANT)
def test_a_setting_that_became_a_constant_is_to_be_left_out(name):
    with pytest.raises(BadSetting, match=f"^setting m.{name} is no longer a setting; leave it out.$"):
        read(TrainingSettings, {name: 1}, "m")


def test_a_british_name_gets_the_american_one():
    british = next(key for key, american in SPELLINGS.items() if american == "center")
    with pytest.raises(BadSetting, match="_x_px is now called 'center_x_px'; rename it"):
        read(PinholeSettings, {f"{british}_x_px": 3}, "simulate.camera")


def test_every_old_name_leads_to_a_setting_that_exists():
    names = set(re.findall(r'"(\w+)": {', json.dumps(study.schema())))
    assert set(RENAMED.values()) <= names
    assert not (set(RENAMED) | set(CONSTANT)) & names


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, "wanted a number, not true or false"),
        ("10", "wanted a number, without quotes and without a unit"),
        ("10 mm", "wanted a number, without quotes"),
        (float("inf"), "wanted a number of at most"),
        (float("nan"), "wanted a number of at most"),
        (1e30, "wanted a number of at most"),
        (10**400, "wanted a number of at most"),
    ],
)
def test_what_is_no_number_is_refused(value, reason):
    for values in ({"inner": {"floor_mm": value}}, {"count": value}):
        with pytest.raises(BadSetting, match=reason):
            read(Outer, values, "outer")


def test_a_number_that_yaml_reads_as_text_is_the_number():
    assert read(Inner, {"floor_mm": "1e-3"}, "inner").floor_mm == 0.001


def test_a_name_that_yaml_reads_as_a_number_is_to_be_put_in_quotes():
    with pytest.raises(
        BadSetting, match="setting models: YAML reads the name 7 as no text; put it in quotes"
    ):
        study.read_config({"models": {7: {}}})
