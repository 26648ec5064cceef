"""Settings out of range give a sentence that names the way out."""

import pytest

from syllabary.errors import BadSetting
from syllabary.settings import read
from syllabary.simulate.settings import SimulateSettings


def test_defaults_are_a_minute_of_kinect():
    settings = read(SimulateSettings, None, "simulate")
    assert settings.duration_s == 60
    assert settings.ticks == 1817
    assert (settings.camera.columns, settings.camera.rows) == (512, 424)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"duration_s": 0}, "simulate.duration_s = 0"),
        ({"noise": {"dropout": 2}}, "simulate.noise.dropout = 2"),
        (
            {"drops": {"longest": 3}},
            "unknown setting simulate.drops.longest; did you mean 'longest_run'",
        ),
        ({"arena": {"wall_height_mm": 600}}, "lower arena.wall_height_mm or raise camera.height_mm"),
        ({"arena": {"radius_mm": 105}}, "raise arena.radius_mm"),
    ],
)
def test_out_of_range(values, message):
    with pytest.raises(BadSetting, match=message.replace("[", r"\[")):
        read(SimulateSettings, values, "simulate")
