import numpy as np
import pandas as pd
import pytest

from figures.conftest import QUICK
from figures.synthetic import training_history
from syllabary.figures import _axes, training
from syllabary.figures.colors import Colors
from syllabary.figures.study import FigureData, ModelResults, StudyResults


def drawn(history):
    model = ModelResults("slds", history=history)
    with _axes.style():
        figure = training.draw(FigureData(StudyResults(models=(model,)), Colors(), model), QUICK)
    return {axes.get_ylabel(): axes for axes in figure.axes}


def curves(axes):
    """Lines that show data, not marks."""
    return [line for line in axes.lines if line.get_linestyle() == "-"]


def values(axes):
    return np.concatenate([line.get_ydata() for line in curves(axes)])


def test_bounds_of_pixels_and_of_latents_never_share_an_axis():
    panels = drawn(training_history(joint=True))
    assert values(panels["bound of latents (nats per frame)"]).min() > -10
    pixels = panels["bound of pixels (nats per frame)"]
    np.testing.assert_array_equal(values(pixels), [-3600.0, -3550.0, -3525.0, -3519.5])
    assert pixels.get_ylim()[0] < -3600, "where training began is on the axis"
    assert pixels.get_title(loc="left") == "+80.5 nats over the PCA"


def test_without_networks_there_is_no_panel_of_pixels():
    assert "bound of pixels (nats per frame)" not in drawn(training_history(joint=False))


def test_iterations_are_drawn_in_order_whatever_their_restart():
    panels = drawn(training_history(joint=True))
    durations = curves(panels["median bout (s)"])
    assert [line.get_xdata()[0] for line in durations] == [1, 13, 25, 37, 49, 61]
    search, first, _, third, polish, joint = (line.get_color() for line in durations)
    assert search == first and third == polish and joint == _axes.INK
    marks = [text.get_text() for text in panels["median bout (s)"].texts]
    assert marks == ["search", "restart", "polish", "joint"]


def test_a_history_without_phases_is_drawn_too():
    history = pd.DataFrame({"bound": [-2.0, -1.0], "states": [3, 2]})
    panels = drawn(history)
    assert set(panels) == {"bound of latents (nats per frame)", "states in use (number)"}
    assert training.gain(history) is None


@pytest.mark.parametrize("bounds", [[-5.0], [-5.0, -6.0]])
def test_the_gain_is_that_of_the_pass_that_is_kept(bounds):
    history = pd.DataFrame({"phase": "joint", "bound_nats_per_frame": bounds})
    assert training.gain(history) == training.Gain(-5.0, -5.0)
