"""The made-up study, its drawings and its report, made once."""

import pytest

from figures.synthetic import PROVENANCE, make_study
from syllabary.figures import report
from syllabary.figures.settings import DrawSettings
from syllabary.figures.study import draw_all

QUICK = DrawSettings(
    examples=4,
    longest_s=0.3,
    lead_s=0.2,
    dpi=60,
    formats=("svg",),
    bootstrap_samples=100,
    max_recordings=1,
    max_syllables=3,
)


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def drawings(study, tmp_path_factory):
    return draw_all(tmp_path_factory.mktemp("figures"), study, QUICK, seed=7)


@pytest.fixture(scope="session")
def pages(study, drawings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    report.write(folder, study, QUICK, provenance=PROVENANCE, drawings=drawings)
    return folder
