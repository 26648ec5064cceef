"""What every file in ``figures/`` that is a figure must do."""

import pytest
from matplotlib import _pylab_helpers
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FuncFormatter

from figures.synthetic import make_study
from syllabary import registry
from syllabary.figures import _axes, coloring, study
from syllabary.figures.colors import Colors
from syllabary.figures.interface import FigureFile
from syllabary.figures.settings import DrawSettings
from syllabary.figures.study import FigureData, ModelResults, RecordingResults, StudyResults

SETTINGS = DrawSettings(bootstrap_samples=100)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"))


def unlabeled(figure):
    """Axes of numbers whose label has no unit; the ticks of other axes are names."""
    for axes in figure.axes:
        for which, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
            shown = axes.axison and axis.get_visible()
            named = isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter)
            ticks = any(tick.get_visible() and tick.get_text() for tick in axis.get_ticklabels())
            text = axis.get_label_text().replace("\n", " ")
            if shown and ticks and not (text and (named or text.endswith(")"))):
                yield which, text, axes.get_title()


@pytest.mark.parametrize("name", study.names())
def test_figure_draws_a_study_with_units_on_every_axis(name, made_up):
    figure_file = registry.find("syllabary.figures", name)
    assert isinstance(figure_file, FigureFile)
    assert figure_file.TITLE and figure_file.CAPTION.endswith(".") and figure_file.NEEDS
    assert figure_file.SCOPE in ("study", "model", "recording")
    colors = coloring.shared(made_up, SETTINGS)
    view = FigureData(made_up, colors, made_up.models[0], made_up.recordings[0])
    with _axes.style():
        figure = figure_file.draw(view, SETTINGS)
        assert isinstance(figure, Figure)
        assert figure.axes
        figure.canvas.draw()
        assert list(unlabeled(figure)) == []
    assert not _pylab_helpers.Gcf.figs, "a figure that pyplot keeps is never freed"


@pytest.mark.parametrize("name", study.names())
def test_figure_is_none_where_what_it_needs_is_absent(name):
    bare = StudyResults("bare", (RecordingResults("m1"),), (ModelResults("slds"),))
    view = FigureData(bare, Colors(), bare.models[0], bare.recordings[0])
    assert registry.find("syllabary.figures", name).draw(view, SETTINGS) is None
