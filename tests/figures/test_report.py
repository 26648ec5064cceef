import base64
import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from figures.conftest import QUICK
from figures.synthetic import PROVENANCE
from syllabary.figures import report
from syllabary.figures.report import _assets, _index, _recording, _tables
from syllabary.figures.study import ModelResults, RecordingResults, StudyResults

MOVIES = ("data-arena", "data-aligned", "data-decoded", "data-simulated")


class Links(HTMLParser):
    """Collects what a page refers to, and the tags it has."""

    def __init__(self, text):
        super().__init__()
        self.links, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href") or name in MOVIES or name.startswith("on"):
                self.links.append((name, value))


def html_files(folder):
    return [folder / "index.html", *sorted((folder / "recordings").glob("*.html"))]


def test_there_is_a_page_per_recording_beside_its_preview(pages, study):
    for recording in study.recordings:
        assert (pages / "recordings" / f"{recording.name}.html").is_file()
        preview = pages / "recordings" / f"{recording.name}.mp4"
        assert preview.read_bytes() == recording.preview_path.read_bytes()


def test_no_page_needs_the_network_and_every_link_leads_somewhere(pages):
    for page in html_files(pages):
        text = page.read_text("utf-8")
        assert not re.search(r"https?://|@import|url\(", text)
        for name, target in Links(text).links:
            assert not name.startswith("on")
            if target.startswith("#"):
                assert f'id="{target[1:]}"' in text
            elif not target.startswith("data:"):
                assert (page.parent / target).resolve().is_file(), (page, target)
                assert pages in (page.parent / target).resolve().parents


def test_provenance_is_in_every_page(pages):
    for page in html_files(pages):
        result = re.search(
            r'<script type="application/json" id="provenance">(.*?)</script>', page.read_text("utf-8")
        )
        assert json.loads(result[1]) == json.loads(PROVENANCE.to_json())


def test_two_reports_are_the_same_bytes(pages, study, drawings, tmp_path):
    report.write(tmp_path, study, QUICK, provenance=PROVENANCE, drawings=drawings)
    names = sorted(p.relative_to(pages) for p in pages.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    for name in names:
        assert (pages / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_the_report_states_the_gain_by_the_networks(pages):
    text = (pages / "index.html").read_text("utf-8")
    assert "raised the bound by 80.5 nats per frame, from −3600.0 (PCA and the same prior)" in text
    assert text.count("No networks were trained") == 1
    assert "Sequences drawn from slds" in text and "Sequences drawn from pca-arhmm" not in text


def test_what_the_model_sees_is_beside_each_crowd_and_not_instead(pages):
    text = (pages / "index.html").read_text("utf-8")
    pairs = re.findall(r'<div class="pair">(.*?)</div>', text, re.DOTALL)
    beside = [pair for pair in pairs if "data-decoded" in pair]
    assert len(pairs) == 6 and len(beside) == 3
    assert all("data-arena" in pair and pair.count("<video") == 2 for pair in beside)
    assert 'data-kind="decoded" aria-pressed' not in text


def test_networks_without_a_gain_are_reported_so():
    history = pd.DataFrame({"phase": "joint", "bound_nats_per_frame": [-5.0, -6.0]})
    assert "did not raise the bound" in _index._training(ModelResults("slds", history=history))
    assert _index._training(ModelResults("elsewhere")) == ""


def test_a_model_without_crowds_still_shows_what_it_sees(study, tmp_path):
    recordings = tuple(dataclasses.replace(r, crops_path=None) for r in study.recordings)
    alone = dataclasses.replace(study, recordings=recordings)
    settings = QUICK.model_copy(update={"figures": ()})
    text = report.write(tmp_path, alone, settings, provenance=PROVENANCE).read_text("utf-8")
    assert "Syllables as the model sees them" in text and "Crowd movies" not in text
    assert "In the arena" not in text and text.count("data-decoded") == 3


def test_scores_and_movies_of_every_model_are_there(pages):
    text = (pages / "index.html").read_text("utf-8")
    assert text.index("How good are the models?") < text.index('role="tablist"')
    assert text.count('role="tabpanel"') == 2
    assert text.count('data-arena="data:video/mp4') == 6
    assert len(text.encode()) <= 30e6


def test_what_does_not_fit_lies_beside_the_page(study, drawings, tmp_path):
    whole = report.write(tmp_path / "whole", study, QUICK, provenance=PROVENANCE, drawings=drawings)
    small = QUICK.model_copy(update={"inline_mb": 0.3})
    index = report.write(tmp_path / "small", study, small, provenance=PROVENANCE, drawings=drawings)
    assert index.stat().st_size <= 0.3e6 < whole.stat().st_size
    linked = [
        t for _, t in Links(index.read_text("utf-8")).links if t.startswith(("movies/", "figures/"))
    ]
    assert linked
    assert all((index.parent / t).is_file() for t in linked)


NASTY = "<script>alert(1)</script>&\"'../$x$"


def test_names_are_text_and_nothing_else(study, tmp_path):
    nasty = dataclasses.replace(
        study.recordings[0],
        name=NASTY,
        subject=NASTY,
        group=NASTY,
        quality={"verdict": NASTY, "reasons": [NASTY]},
    )
    model = study.models[0]
    tables = dict(model.tables)
    tables["syllables"] = tables["syllables"].assign(name=NASTY)
    model = dataclasses.replace(
        model, name=NASTY, tables=tables, settings={NASTY: NASTY},
        labels={NASTY: model.labels[study.recordings[0].name]}, scores={NASTY: {NASTY: 0.5}},
    )  # fmt: skip
    bad = StudyResults(NASTY, (nasty,), (model,))
    settings = QUICK.model_copy(update={"examples": 0, "figures": ("usage", "ethogram", "quality")})
    provenance = PROVENANCE._replace(settings={NASTY: NASTY})
    index = report.write(tmp_path / "report", bad, settings, provenance=provenance)
    assert [p.name for p in tmp_path.iterdir()] == ["report"]
    for page in html_files(index.parent):
        text = page.read_text("utf-8")
        assert "<script>alert" not in text
        assert Links(text).tags.count("script") == (2 if page == index else 3)
        assert not [name for name, _ in Links(text).links if name.startswith("on")]
    assert "&lt;script&gt;alert(1)" in index.read_text("utf-8")


def test_a_study_with_nothing_but_recordings_still_has_a_report(tmp_path):
    bare = StudyResults("Bare", (RecordingResults("m1"),), (ModelResults("slds"),))
    text = report.write(tmp_path, bare, QUICK, provenance=PROVENANCE).read_text("utf-8")
    assert "Not drawn" in text
    assert "needs the truth of simulated recordings" in text


def test_rejected_recordings_are_named_first(tmp_path):
    quality = {"verdict": "reject", "reasons": ["the lens was covered"]}
    study = StudyResults("S", (RecordingResults("m1", quality=quality),))
    text = report.write(tmp_path, study, QUICK, provenance=PROVENANCE).read_text("utf-8")
    assert "1 recording rejected" in text
    assert "the lens was covered" in text


def test_the_timeline_gives_back_every_label(study, drawings):
    recording, model = study.recordings[1], study.models[1]
    result = _recording.timeline(study, recording, drawings)
    labels = model.labels_of(recording)
    row = next(r for r in result["rows"] if r["name"] == model.name)
    starts = np.searchsorted((1000 * labels["time_s"]).round(), row["start_ms"])
    lengths = np.diff([*starts, len(labels)])
    np.testing.assert_array_equal(np.repeat(row["code"], lengths), labels["syllable"])
    assert [r["name"] for r in result["rows"]] == ["truth", "slds", "pca-arhmm"]
    trace = next(t for t in result["traces"] if t["name"] == "probability · pca-arhmm")
    values = np.frombuffer(base64.b64decode(trace["values"]), np.uint8) / 254
    np.testing.assert_allclose(values, labels["probability"], atol=0.5 / 254 + 1e-6)


def test_a_long_trace_is_averaged_and_gaps_stay_gaps():
    values = np.tile([0.0, 1.0], 30_000)
    values[600:900] = np.nan
    trace = _recording._trace("speed", "mm/s", np.arange(60_000) / 30, values, 0.0, 1.0)
    result = np.frombuffer(base64.b64decode(trace["values"]), np.uint8)
    assert trace["ticks_per_point"] == 3
    assert len(result) == 20_000
    assert (result[200:300] == 255).all() and (result[:200] != 255).all()


def test_a_trace_that_was_never_measured_is_left_out():
    assert _recording._trace("speed", "mm/s", np.zeros(3), np.full(3, np.nan)) == {}


def test_embedded_json_cannot_end_its_script():
    text = str(_assets.embed({"a": "</script><!--", "b": float("nan"), "c": [1.5, "\u2028"]}))
    assert "<" not in text and "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!--", "b": None, "c": [1.5, "\u2028"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (np.nan, "–"),
        (3, "3"),
        (2.0, "2"),
        (0.12345, "0.123"),
        (-1.256, "−1.26"),
        (123.4, "123"),
        (0.0002, "2e−04"),
    ],
)
def test_numbers_are_short(value, text):
    assert _tables.number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(20, "20 s"), (1500, "25 min"), (9000, "2.50 h")])
def test_durations_are_in_the_unit_that_suits(seconds, text):
    assert _tables.duration(seconds) == text


def test_the_best_model_is_marked_on_the_same_recordings_only():
    models = [
        ModelResults("a", scores={"all": {"ami": 0.5}, "held_out": {"ami": 0.4}}),
        ModelResults("b", scores={"all": {"ami": 0.6}, "held_out": {"ami": 0.3}}),
    ]
    columns, rows = _tables.score_table(models)
    assert [c.text for c in columns] == ["model", "recordings", "AMI"]
    assert [row[2].best for row in rows] == [False, True, True, False]


def test_likelihoods_have_names_and_digits():
    models = [
        ModelResults("a", scores={"held_out": {"iwae_nats": -4052.28, "pixels_30_nats": -4070.0}}),
        ModelResults("b", scores={"held_out": {"iwae_nats": -4052.96, "pixels_30_nats": -4069.0}}),
    ]
    columns, rows = _tables.score_table(models)
    assert [column.text for column in columns[2:]] == ["likelihood", "pixels, 30 ahead"]
    assert [[cell.text for cell in row[2:]] for row in rows] == [
        ["−4052.28", "−4070.00"],
        ["−4052.96", "−4069.00"],
    ]
    # Crops of models that register them are others than those of models that do not.
    assert not any(cell.best for row in rows for cell in row[2:])


def test_scores_of_named_behaviors_become_columns():
    scores = {
        "ami": 0.5,
        "frames": 10,
        "boundary_f1": None,
        "behaviors": {"rear": {"recall": 1.0, "precision": None}},
    }
    assert _tables.flat_scores(scores) == {"ami": 0.5, "rear recall": 1.0}


def test_a_preview_is_replaced_when_it_changed(tmp_path):
    first, second, target = tmp_path / "a", tmp_path / "b", tmp_path / "page" / "c"
    first.write_bytes(b"1")
    second.write_bytes(b"2")
    for source in (first, first, second):
        _assets.place_beside(source, target)
    assert target.read_bytes() == b"2"
    assert first.read_bytes() == b"1"


CLICK = """<script>
for (const head of document.querySelectorAll("table.sortable th")) {
  if (head.textContent.startsWith("bouts")) head.click();
}
document.querySelector('button[data-kind="aligned"]').click();
document.documentElement.dataset.kinds = [...new Set(
  [...document.querySelectorAll("#model-0-gallery video")].map((v) => v.dataset.kind))].sort().join(" ");
document.querySelectorAll("[data-tab]")[1].click();
document.title = [...document.querySelectorAll("[data-gallery] tbody")].map(
  (b) => [...b.rows].map((r) => r.dataset.key).join(" ")).join("|") + "|" +
  [...document.querySelectorAll("[data-panel]")].map((p) => p.hidden).join(" ");
</script></body>"""


@pytest.mark.browser
def test_pages_run_in_a_browser(pages, study, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium: install it with 'apt-get install chromium'")

    def open_page(page):
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", profile]
        command += ["--virtual-time-budget=3000", "--dump-dom", page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    index = pages / "clicked.html"
    try:
        index.write_text((pages / "index.html").read_text("utf-8").replace("</body>", CLICK), "utf-8")
        text = open_page(index)
    finally:
        index.unlink()
    assert 'data-ready="true"' in text
    orders, hidden = re.search(r"<title>(.*)\|(.*?)</title>", text).groups()
    assert hidden == "true false"
    assert 'data-kinds="aligned decoded"' in text, "what the model sees stays beside the crowd"
    for order, model in zip(orders.split("|"), study.models, strict=True):
        bouts = model.table("syllables").set_index("syllable")["bouts"]
        counts = bouts.loc[[int(s) for s in order.split()]].tolist()
        assert counts == sorted(counts, reverse=True) != bouts.tolist()
    text = open_page(pages / "recordings" / "m2.html")
    assert 'data-ready="true"' in text
    truth = study.recordings[1].truth()["behavior"][0]
    readout = re.search(r'<tbody id="readout">(.*?)</tbody>', text, re.DOTALL)[1]
    assert truth in readout and "mm/s" in readout
