"""A small simulated study from raw depth video to the report, and what makes it run again.

Tests of this file run in order on one study folder: each leaves it up to date.
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from syllabary.records import tables

from .conftest import Study

pytestmark = pytest.mark.workflow
# Half of the adjusted mutual information and border F1 that were measured.
THRESHOLDS = {"slds": (0.22, 0.39), "pca-arhmm": (0.20, 0.35)}
AFTER_LABEL = {"summarize", "score", "export", "draw"}
AFTER_FIT = {"fit", "segment", "label", "evaluate", *AFTER_LABEL}
MERGES = "config/merges/pca-arhmm.tsv"


def digests(study, *patterns):
    """Content of the results, by name."""
    results = study.folder / "results"
    paths = sorted(p for pattern in patterns for p in results.glob(pattern) if p.is_file())
    return {str(p.relative_to(results)): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def labels_now(study):
    return digests(study, "recordings/*/labels/*.parquet")


SCIENCE = (
    "recordings/*/crops.h5",
    "recordings/*/quality.json",
    "recordings/*/labels/*.parquet",
    "recordings/*/posterior/*.h5",
    "models/**/*",
    "tables/**/*",
    "export/**/*",
    "simulated/*/truth.parquet",
)


def test_raw_video_becomes_labels_tables_and_a_report(study):
    study.run()
    results = study.folder / "results"
    for recording in ("c1", "c2", "d1", "d2"):
        labels = tables.read(results / f"recordings/{recording}/labels/pca-arhmm.parquet", tables.LABELS)
        assert (results / f"recordings/{recording}/posterior/slds.h5").is_file()
        truth = tables.read(results / f"simulated/{recording}/truth.parquet", tables.TRUTH)
        assert labels["frame"].tolist() == truth["frame"].tolist()
        assert labels["syllable"].min() >= 0
        assert not (results / f"simulated/{recording}/depth.dat").exists(), "raw video is temporary"
    for model, (ami, boundary_f1) in THRESHOLDS.items():
        scores = json.loads((results / f"tables/{model}/scores.json").read_text())["scores"]["all"]
        assert (scores["ami"] > ami, scores["boundary_f1"] > boundary_f1) == (True, True), scores
    likelihood = tables.read(results / "tables/slds/likelihood.parquet", tables.LIKELIHOOD)
    assert set(likelihood["measure"]) == {"bound", "iwae", "pixels", "components"}
    assert likelihood["nats_per_frame"].notna().all()
    page = (results / "report/index.html").read_text()
    assert "c1" in page
    assert "pca-arhmm" in page
    assert {p.suffix for p in (results / "export/csv/pca-arhmm").iterdir()} >= {".csv", ".json"}


def test_every_output_says_what_made_it(study):
    path = study.folder / "results/recordings/c1/labels/pca-arhmm.parquet"
    made = tables.provenance_of(path)
    assert made.step == "label"
    assert set(made.inputs) == {"posterior/pca-arhmm.h5", "pca-arhmm/model.safetensors"}


def test_a_second_run_has_nothing_to_do(study):
    assert "Nothing to be done" in study.run()
    assert study.would_run() == set()


def test_a_default_written_out_changes_nothing(study):
    with study.changed("config/config.yaml", lambda text: text + "reduce: {components: 10}\n"):
        assert study.would_run() == set()


def test_a_changed_color_draws_again_and_no_more(study):
    color = ("draw:", "draw:\n  palette: viridis")
    with study.changed("config/config.yaml", lambda text: text.replace(*color)):
        assert study.would_run() == {"draw"}


def test_settings_of_one_recording_extract_it_alone(study):
    overrides = "overrides: {c2: {arena: {margin_mm: 12}}}\n"
    with study.changed("config/config.yaml", lambda text: text + overrides):
        plan = study.run("--dry-run")
    extracted = re.findall(r"\bextract (\S+) from ", plan)
    assert extracted == ["c2"]


def test_labels_of_people_fit_the_models_again(study):
    study.write("config/labels.csv", "recording,start_s,stop_s,behavior\nc1,1,2,walk\n")
    try:
        assert study.would_run() == AFTER_FIT
    finally:
        (study.folder / "config/labels.csv").unlink()
    assert study.would_run() == set()


def test_a_merge_labels_one_model_again_and_infers_nothing(study):
    study.write(MERGES, "state\tsyllable\n0\tboth\n1\tboth\n")
    try:
        plan = study.run("--dry-run")
        assert study.would_run() == {"label", *AFTER_LABEL}
        labeled = re.findall(r"^rule label:\n(?:    .*\n)*?    wildcards: .*model=(\S+)", plan, re.M)
        assert labeled == ["pca-arhmm"] * 4
        before = digests(study, "models/*/*", "recordings/*/posterior/*.h5")
        labels = labels_now(study)
        study.run("--until", "score", "export")
        assert digests(study, "models/*/*", "recordings/*/posterior/*.h5") == before
        changed = {name for name, digest in labels.items() if labels_now(study)[name] != digest}
        assert {name.rpartition("/")[2] for name in changed} == {"pca-arhmm.parquet"}
        table = tables.read(study.folder / "results/tables/pca-arhmm/syllables.parquet")
        row = table.set_index("syllable").loc[0]
        assert (row["states"], row["name"]) == ("0 1", "both")
        frames = (study.folder / "results/export/csv/pca-arhmm/frames.csv").read_text()
        assert "both" in frames
        study.write(MERGES, "state\tsyllable\ncut\t2\n")
        done = study.snakemake("--until", "label")
        assert done.returncode != 0
        assert "merges/pca-arhmm.tsv, line 2: the model has no merge tree" in done.stdout + done.stderr
    finally:
        (study.folder / MERGES).unlink()
    study.run()
    assert labels_now(study) == labels


def test_an_edit_in_the_messages_fits_again_and_extracts_nothing(study):
    edit = "\n\ndef edited():\n    return 1\n"
    with study.changed("pipeline/syllabary/messages/hmm.py", lambda text: text + edit):
        assert study.would_run() == AFTER_FIT
    assert study.would_run() == set()


def test_an_edit_in_a_docstring_or_comment_runs_nothing(study):
    def edit(text):
        return text.replace('"""', '"""Edited. ', 1) + "# edited\n"

    with study.changed("pipeline/syllabary/messages/hmm.py", edit):
        assert study.would_run() == set()


def test_a_row_to_apply_is_segmented_and_refits_nothing(study):
    def add(text):
        head, *lines = text.splitlines()
        rows = [head + "\trole", *lines, "e1\tsimulated\te1\tdrug\tapply"]
        return "\n".join(rows) + "\n"

    with study.changed("config/recordings.tsv", add):
        rules = study.would_run()
    assert not {"reduce", "fit"} & rules
    assert {"simulate", "extract", "segment", "label"} <= rules


def test_a_covariate_reaches_the_results_and_refits_nothing(study):
    def add(text):
        head, *lines = text.splitlines()
        return "\n".join([head + "\tdose", *(f"{line}\t{i}" for i, line in enumerate(lines))]) + "\n"

    with study.changed("config/recordings.tsv", add):
        assert study.would_run() == {"summarize", "export", "draw"}
    assert study.would_run() == set()


def test_what_is_compared_changes_tables_alone(study):
    with study.changed("config/config.yaml", lambda text: text + "summarize: {compare: subject}\n"):
        assert study.would_run() == {"summarize", "export", "draw"}


def test_the_workflow_report_opens(study):
    study.run("--report", "report.html")
    assert (study.folder / "report.html").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("model", "kept", "message"),
    [
        ("pca-arhmm", "checkpoint", "goes on after iteration"),
        ("slds", "checkpoint", "goes on after iteration"),
        ("slds", "joint", "goes on after pass"),
    ],
)
def test_a_killed_fit_goes_on_where_it_was_and_ends_the_same(study, model, kept, message):
    undisturbed = digests(study, f"models/{model}/*")
    folder = study.folder / "again" / f"{model}-{kept}"
    arguments = [
        *("-m", "syllabary.cli", "fit", "--name", model, "--pca", "results/models/pca.h5"),
        *("--changepoints", "results/models/changepoints.parquet"),
        *("--folder", str(folder)),
    ]
    for recording in ("c1", "c2", "d1", "d2"):
        arguments += ["--crops", f"results/recordings/{recording}/crops.h5"]
        arguments += ["--quality", f"results/recordings/{recording}/quality.json"]
    environment = {**os.environ, "PYTHONPATH": str(study.folder / "pipeline")}
    checkpoint = folder / f"{kept}.safetensors"
    job = subprocess.Popen([sys.executable, *arguments], cwd=study.folder, env=environment)
    try:
        deadline = time.monotonic() + 300
        while not checkpoint.exists() and job.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        assert job.poll() is None, "the fit ended before it could be killed"
    finally:
        job.send_signal(signal.SIGKILL)
        job.wait()
    assert checkpoint.exists()
    assert not (checkpoint.parent / "model.safetensors").exists()
    resumed = study.python(*arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert message in resumed.stderr
    for name in ("model.safetensors", "history.parquet", "clips.h5"):
        again = hashlib.sha256((checkpoint.parent / name).read_bytes()).hexdigest()
        assert again == undisturbed[f"models/{model}/{name}"], name
    assert not list(folder.glob("*checkpoint*")) and not list(folder.glob("joint*"))


def test_a_fresh_run_of_the_same_seed_gives_the_same_bytes(study, tmp_path_factory):
    other = Study(tmp_path_factory.mktemp("other"))
    other.run("--until", "export", "score", "evaluate")
    first, second = digests(study, *SCIENCE), digests(other, *SCIENCE)
    assert set(first) == set(second)
    assert [name for name in first if first[name] != second[name]] == []
