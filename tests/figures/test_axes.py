"""One style for all figures, and files with the same bytes in every run."""

import matplotlib as mpl
import pytest

from syllabary.figures import _axes


def figure():
    with _axes.style():
        drawn = _axes.new(2, 1.5)
        axes = drawn.subplots()
        axes.plot([0, 1], [2, 3])
        _axes.tidy(axes, x="time (s)", y="height (mm)", title="m$1$")
        _axes.swatches(axes, [(1, 0, 0), (0, 0, 1)], axis="y")
    return drawn


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_figure_has_the_same_bytes_in_every_run(suffix, tmp_path):
    for name in ("a", "b"):
        assert _axes.save(figure(), tmp_path / name, [suffix], 60) == [tmp_path / f"{name}.{suffix}"]
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_text_stays_text_and_a_dollar_sign_a_dollar_sign(tmp_path):
    _axes.save(figure(), tmp_path / "a", ["svg"], 60)
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert ">m$1$<" in text and ">height (mm)<" in text


def test_the_style_ends_with_its_context():
    before = mpl.rcParams["font.size"]
    with _axes.style():
        assert mpl.rcParams["font.size"] == 8.5
    assert mpl.rcParams["font.size"] == before


def test_swatches_lie_outside_the_axes_and_do_not_widen_them():
    axes = figure().axes[0]
    squares = [line for line in axes.lines if line.get_marker() == "s"]
    assert [line.get_color() for line in squares] == [(1, 0, 0), (0, 0, 1)]
    assert axes.get_xlim()[0] < 0 < 1 < axes.get_xlim()[1] < 1.2
