import pytest

from syllabary.errors import BadSetting
from syllabary.settings import Field, Settings, read


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
