"""Step ``draw``: the results of a study, known by their places, to figures and a report."""

import json
import shutil

import h5py
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
    h5py.File(folder / "models" / "pca.h5", "w").close()
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


def judged(results, folder, name, **content):
    """The results with another verdict on one recording, and tables made by it."""
    shutil.copytree(results.folder, folder)
    copied = results._replace(folder=folder)
    place = copied.recording(name, "quality.json")
    place.write_text(json.dumps({**json.loads(place.read_text()), "verdict": "reject", **content}))
    quality = copied.each("quality.json")
    summarize(copied, folder / "tables" / "m", quality=quality)
    return copied


def test_the_report_says_which_recordings_are_left_out_and_why(results, tmp_path):
    copied = judged(results, tmp_path / "results", "m2", reasons=["31.0% of the ticks have no frame"])
    report = run(copied, tmp_path)
    assert "1 recording rejected</span>\nand left out of training, tables, statistics, figures" in report
    assert "m2 (31.0% of the ticks have no frame)." in report
    assert "<b>3</b>recordings, 1 more left out" in report
    assert "labels still count" not in report
    html = (tmp_path / "report" / "recordings" / "m2.html").read_text()
    assert "left out of training, tables, figures and exports" in html
    assert '"name":"m"' in html, "its labels are on its page"
    other = (tmp_path / "report" / "recordings" / "m1.html").read_text()
    assert "left out" not in other


def test_the_report_says_which_rejected_recordings_are_used(results, tmp_path):
    copied = judged(results, tmp_path / "results", "m2", reasons=["too short"], used=True)
    report = run(copied, tmp_path)
    assert "1 rejected recording used</span>" in report
    assert "because check.use_rejected is set" in report and "m2 (too short)." in report
    assert "left out" not in report and "<b>4</b>recordings" in report


def test_the_report_has_the_covariates_and_what_is_compared(results, tmp_path):
    rows = [
        {**row, "day": 1.0 + i // 2, "sex": "fm"[i % 2], "subject": f"s{i % 2}"}
        for i, row in enumerate(results.rows)
    ]
    shutil.copytree(results.folder, tmp_path / "results")
    copied = results._replace(folder=tmp_path / "results", rows=rows)
    summarize(copied, copied.folder / "tables" / "m", compare="day")
    report = run(copied, tmp_path)
    assert "<th>day</th><th>sex</th>" in report
    assert "<b>2</b>values of day: 1, 2" in report
    assert "<b>2</b>animals" in report
    assert "The animal is the unit. Where it is in several groups, the test is paired." in report
    assert "<b>f</b>sex" in (tmp_path / "report" / "recordings" / "m1.html").read_text()


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
