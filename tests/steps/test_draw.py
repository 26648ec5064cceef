"""Step ``draw``: the results of a study, known by their places, to figures and a report."""

import shutil

import pytest

from figures import synthetic
from syllabary.errors import BadInput, BadSetting
from syllabary.provenance import Provenance
from syllabary.records import tables
from syllabary.steps import draw

from .conftest import summarize

QUICK = {
    "figures": ["usage"], "examples": 0, "formats": ["svg"], "bootstrap_samples": 100,
    "max_recordings": 1,
}  # fmt: skip
MADE = Provenance("fit", {"prior": "arhmm"}, 1, {}, "")


@pytest.fixture(scope="module")
def results(labeled, tmp_path_factory):
    """The made-up recordings with tables, a history, and a reduction that nothing is drawn of."""
    folder = tmp_path_factory.mktemp("drawn") / "results"
    shutil.copytree(labeled.folder, folder)
    copied = labeled._replace(folder=folder)
    summarize(copied, folder / "tables" / "m")
    for row in labeled.rows:
        copied.recording(row["recording"], "preview.mp4").write_bytes(b"")
    history = synthetic.training_history(joint=False)
    tables.write(folder / "models" / "m" / "history.parquet", history, MADE)
    changes = tables.read(folder / "tables" / "m" / "bouts.parquet")[["recording", "start_s"]]
    changes = changes.rename(columns={"start_s": "time_s"}).assign(tick=0, score=1.0)
    tables.write(folder / "models" / "changepoints.parquet", changes, MADE)
    (folder / "models" / "pca.h5").write_bytes(b"")
    return copied


def run(results, tmp_path, files=None, **settings):
    draw(
        results=[results.folder] if files is None else files,
        figures=tmp_path / "figures",
        report=tmp_path / "report" / "index.html",
        models=["m"],
        recordings=results.rows,
        settings={**QUICK, **settings},
        seed=1,
    )
    return (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_a_folder_of_results_becomes_figures_and_a_report(results, tmp_path):
    report = run(results, tmp_path)
    assert (tmp_path / "figures" / "m" / "usage.svg").is_file()
    assert all(row["recording"] in report for row in results.rows)
    assert "history.parquet" in report, "inputs are recorded"


def test_a_list_of_files_gives_the_same_report_as_their_folder(results, tmp_path):
    files = [path for path in results.folder.rglob("*") if path.is_file()]
    assert run(results, tmp_path / "a") == run(results, tmp_path / "b", files=files)


def test_a_result_that_is_missing_is_named(results, tmp_path):
    files = [path for path in results.folder.rglob("*") if path.name != "usage.parquet"]
    files = [path for path in files if path.is_file()]
    with pytest.raises(BadInput, match=r"draw needs tables/m/usage\.parquet, which is not among"):
        run(results, tmp_path, files=files)


def test_a_wrong_setting_is_named(results, tmp_path):
    with pytest.raises(BadSetting, match=r"unknown setting draw\.dpii; did you mean 'dpi'"):
        run(results, tmp_path, dpii=3)
