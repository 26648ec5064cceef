"""Labels of people: ours and BORIS's exports, as bouts and as soft labels of ticks."""

import copy
import gzip
import json
import logging

import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.errors import BadInput
from syllabary.records import annotations

TIMES = {"m1": np.arange(100) / 10, "m2": np.arange(50) / 10}
# Columns as BORIS writes them: version 8 (flat) and before (a block of facts above the table).
FLAT = (
    "Observation id,Observation date,Description,Observation duration,Observation type,Source,"
    "Time offset (s),Media duration (s),FPS,Subject,Behavior,Behavioral category,Modifier #1,"
    "Behavior type,Time,Media file name,Image index,Image file path,Comment\n"
)
AGGREGATED = (
    "Observation id,Observation date,Description,Observation type,Source,Time offset (s),"
    "Coding duration,Media duration (s),FPS (frame/s),Subject,"
    "Observation duration by subject by observation,Behavior,Behavioral category,Behavior type,"
    "Start (s),Stop (s),Duration (s),Media file name,Image index start,Image index stop,"
    "Image file path start,Image file path stop,Comment start,Comment stop\n"
)


def flat(*events, observation="m1", media="m1.mp4", offset="0.0"):
    """Rows of (behavior, status, time), perhaps with a modifier."""
    rows = [
        f"{observation},2024-01-15 12:00:00,,10.0,MEDIA,player #1:{media},{offset},10.0,30.0,"
        f"No focal subject,{behavior},,{''.join(modifier)},{status},{time},{media},{time},,\n"
        for behavior, status, time, *modifier in events
    ]
    return FLAT + "".join(rows)


def aggregated(*bouts, observation="m1", media="m1.mp4"):
    rows = [
        f"{observation},2024-01-15 12:00:00,,MEDIA,player #1:{media},0.0,10.0,10.0,30.0,"
        f"No focal subject,10.0,{behavior},,{kind},{start},{stop},NA,{media},0,9,,,,\n"
        for behavior, kind, start, stop in bouts
    ]
    return AGGREGATED + "".join(rows)


@pytest.fixture
def read(tmp_path):
    def make(text, times=TIMES, name="labels.csv", **options):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return annotations.read(tmp_path / name, times, **options)

    return make


def covered(labels, recording, behavior):
    column = labels[recording].classes.index(behavior)
    return np.flatnonzero(labels[recording].weights[:, column])


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_our_own_table(read, separator):
    text = "recording,start_s,stop_s,behavior\nm1,1.0,2.0,walk\nm2,0,0.5,rear\n# later: m2\n"
    labels = read(text.replace(",", separator))
    assert labels["m1"].classes == labels["m2"].classes == ("rear", "walk")
    assert labels["m1"].weights.shape == (100, 2) and labels["m1"].weights.dtype == np.float32
    assert covered(labels, "m1", "walk").tolist() == list(range(10, 20))
    assert covered(labels, "m2", "rear").tolist() == list(range(5))
    assert_allclose(labels["m1"].weights.sum(), 10)


def test_overlaps_share_and_confidence_scales(read):
    labels = read(
        "recording,start_s,stop_s,behavior,annotator,confidence\n"
        "m1,0,2,walk,ann,\nm1,1,3,rear,ben,0.5\nm1,4,5,rear,ann,0.8\nm1,4,5,rear,ben,0.4\n"
    )["m1"]
    rear, walk = labels.weights.T
    assert_allclose([rear[5], walk[5]], [0, 1])
    assert_allclose([rear[15], walk[15]], [0.25, 0.5])
    assert_allclose([rear[25], walk[25]], [0.5, 0])
    assert_allclose(rear[45], 0.6, rtol=1e-6)
    assert (labels.weights.sum(1) <= 1).all() and not labels.weights[50:].any()


def test_an_unlabeled_recording_is_all_zero(read):
    labels = read("recording,start_s,stop_s,behavior\nm1,1,2,walk\n")
    assert labels["m2"].classes == ("walk",) and not labels["m2"].weights.any()


def test_a_row_without_behavior_is_still_to_do(read):
    labels = read("recording\tstart_s\tstop_s\tbehavior\treason\nm1\t1\t2\t\twhy\nm1\t3\t4\twalk\t\n")
    assert covered(labels, "m1", "walk").tolist() == list(range(30, 40))


def test_boris_tabular_events_pair_start_and_stop(read, caplog):
    text = flat(
        ("walk", "START", 1.0), ("rear", "START", 1.5), ("walk", "STOP", 2.0), ("rear", "STOP", 2.5),
        ("sneeze", "POINT", 3), ("walk", "START", 2.0), ("walk", "STOP", 3.0),
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        labels = read(text)
    assert labels["m1"].classes == ("rear", "walk")
    assert covered(labels, "m1", "walk").tolist() == list(range(10, 30))
    assert covered(labels, "m1", "rear").tolist() == list(range(15, 25))
    assert "point events have no duration" in caplog.text and "sneeze (1)" in caplog.text


def test_boris_modifiers_distinguish_bouts(read):
    events = [("sniff", "START", 1, "wall"), ("sniff", "START", 2, "food")]
    events += [("sniff", "STOP", 3, "wall"), ("sniff", "STOP", 4, "food")]
    assert covered(read(flat(*events)), "m1", "sniff").tolist() == list(range(10, 40))


def test_boris_before_version_8_has_facts_above_the_table(read):
    blank = "\t" * 9
    text = (
        f"Observation id\tm2{blank}\n{blank}\nMedia file(s){blank}\nPlayer #1\tm2.avi{blank}\n"
        f"Observation date\t2019-05-01 10:00:00{blank}\nTime offset (s)\t0{blank}\n"
        "Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tComment\t"
        "Status\n1.0\tm2.avi\t5.0\t30\t\tgroom\t\t\tSTART\n2.5\tm2.avi\t5.0\t30\t\tgroom\t\t\tSTOP\n"
    )
    assert covered(read(text, name="m2.tsv"), "m2", "groom").tolist() == list(range(10, 25))


def test_boris_aggregated_events(read, caplog):
    labels = read(aggregated(("walk", "STATE", 0.5, 1.5), ("sneeze", "POINT", 2, 2)))
    assert labels["m1"].classes == ("walk",)
    assert covered(labels, "m1", "walk").tolist() == list(range(5, 15))


@pytest.mark.parametrize(
    "media", ["m2.mp4", "D:\\videos\\m2.avi", "results/recordings/m2/preview.mp4", "/data/m2/depth.avi"]
)
def test_a_media_file_names_the_recording(read, media):
    labels = read(aggregated(("walk", "STATE", 1, 2), observation="first try", media=media))
    assert covered(labels, "m2", "walk").tolist() == list(range(10, 20))


def test_labels_of_other_recordings_may_be_passed_over(read, caplog):
    text = "recording,start_s,stop_s,behavior\nm9,90,95,jump\nm1,1,2,walk\n"
    with caplog.at_level(logging.INFO):
        assert read(text, strict=False)["m1"].classes == ("walk",)
    assert "m9" in caplog.text


def test_the_end_of_a_movie_may_be_rounded(read):
    assert read("recording,start_s,stop_s,behavior\nm2,4,5.3,walk\n")["m2"].weights.sum() == 10


OURS = "recording,start_s,stop_s,behavior,confidence\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (OURS + "m11,1,2,walk,\n", "line 2: unknown recording 'm11'; did you mean 'm1'"),
        (OURS + "m1,2,1,walk,\n", "line 2: 'walk' stops at 1 s, before it starts at 2 s"),
        (OURS + "m1,nan,1,walk,\n", "line 2: start_s is 'nan'; wanted seconds"),
        (OURS + "m1,1,,walk,\n", "line 2: stop_s is ''"),
        (OURS + 'm1,1,"2,5",walk,\n', "stop_s is '2,5'; wanted seconds, with a point"),
        (OURS + "m1,-1,1,walk,\n", "line 2: start at -1 s"),
        (OURS + "\nm1,1,2,walk,2\n", "line 3: confidence 2; wanted 0 to 1"),
        (OURS + "m2,5,15,walk,\n", r"line 2: 'walk' from 5 to 15 s, but m2 ends at 5.00 s"),
        ("name,begin,end\n", "wanted the columns recording, start_s, stop_s, behavior"),
        ("", "but the first line has nothing"),
        (flat(("walk", "START", 1)), "'walk' starts at 1 s in 'm1' and never stops"),
        (flat(("walk", "STOP", 1)), "STOP of 'walk' at 1 s in 'm1' has no partner"),
        (flat(("walk", "START", 1), ("walk", "START", 2)), "line 3: START of 'walk' at 2 s"),
        (flat(("walk", "START", "NA")), "Time is 'NA'"),
        (flat(("walk", "START", 1), ("walk", "STOP", 2), offset="5.0"), "time offset of 5.0 s"),
        (aggregated(("walk", "STATE", 1, 2), observation="x", media="y.mp4"), "unknown recording 'x'"),
        (
            flat(("walk", "START", 1), observation="x", media="m1.mp4")
            + flat(("walk", "STOP", 2), observation="x", media="m2.mp4").removeprefix(FLAT),
            "observation 'x' plays 2 media files",
        ),
    ],
)
def test_wrong_rows_are_refused_with_their_line(read, text, sentence):
    with pytest.raises(BadInput, match=sentence):
        read(text)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        annotations.bouts(tmp_path / "labels.csv", ["m1"])


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ("recording,start_s,stop_s,behaviour,behavior", "'behaviour' and 'behavior'"),
        ("recording,start_s,start_s,stop_s,behavior", "'start_s' and 'start_s'"),
    ],
)
def test_two_columns_of_one_name_are_refused(read, columns, named):
    with pytest.raises(BadInput, match=f"labels.csv: the columns {named} are both .*; keep one"):
        read(f"{columns}\nm1,0,1,walk,rear\n")


def test_a_british_column_alone_is_read(read):
    labels = read("recording,start_s,stop_s,behaviour\nm1,0,1,walk\n")
    assert labels["m1"].classes == ("walk",)
    assert covered(labels, "m1", "walk").tolist() == list(range(10))


@pytest.mark.parametrize(
    "header", ["Recording,Start_S,STOP_S," + "behaviour".title(), "recording,start_s,stop_s,Behavior"]
)
def test_columns_may_be_in_any_case_and_british(read, header):
    assert covered(read(f"{header}\nm1,0,1,walk\n"), "m1", "walk").tolist() == list(range(10))


def test_boris_columns_may_be_british(read):
    text = (
        aggregated(("walk", "STATE", 0.5, 1.5))
        .replace("Behavior", "behaviour".title())
        .replace("Start", "start")
    )
    assert covered(read(text), "m1", "walk").tolist() == list(range(5, 15))


def test_a_bout_that_ends_after_its_recording_is_cut_with_a_warning(read, caplog):
    labels = read("recording,start_s,stop_s,behavior\nm2,4,9,walk\n")
    assert covered(labels, "m2", "walk").tolist() == list(range(40, 50))
    assert "is cut at 5.00 s, where m2 ends" in caplog.text


PROJECT = {
    "project_format_version": "7.0",
    "behaviors_conf": {
        "0": {"code": "walk", "type": "State event"},
        "1": {"code": "sneeze", "type": "Point event"},
    },
    "observations": {
        "m1": {
            "file": {"1": ["D:\\video\\other.mp4"], "2": []},
            "time offset": 0.0,
            "events": [[1.0, "", "walk", "", ""], [3.0, "", "sneeze", "", ""],
                       [2.0, "", "walk", "", "", 60]],
        },
        "second": {
            "file": {"1": ["/data/m2/preview.mp4"]},
            "events": [[0.5, "a", "walk", "x", ""], [1.0, "a", "walk", "", ""],
                       [1.5, "a", "walk", "x", ""], [2.0, "a", "walk", "", ""]],
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ["day1.boris", "day1.BORIS", "day1.boris.gz"])
def test_a_project_of_boris_is_read(tmp_path, name):
    content = json.dumps(PROJECT).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    labels = annotations.read(tmp_path / name, TIMES)
    assert covered(labels, "m1", "walk").tolist() == list(range(10, 20))
    assert covered(labels, "m2", "walk").tolist() == list(range(5, 20))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda p: p["observations"]["m1"]["events"].pop(),
            "'walk' starts at 1 s in 'm1' and never stops",
        ),
        (lambda p: p.pop("observations"), "lacks 'observations'; wanted a project"),
        (lambda p: p["behaviors_conf"].pop("0"), "event of 'walk' at 0.5 s|event of 'walk' at 1.0 s"),
        (
            lambda p: p["observations"]["m1"]["events"].append(["x"]),
            "event 4 of observation 'm1' is no list",
        ),
        (lambda p: p["observations"]["m1"].update({"time offset": 3}), "time offset of 3 s"),
        (
            lambda p: p["observations"]["second"]["file"]["1"].append("b.mp4"),
            "'second' plays 2 media files",
        ),
    ],
)
def test_a_faulty_project_of_boris_is_refused(tmp_path, change, sentence):
    project = copy.deepcopy(PROJECT)
    change(project)
    (tmp_path / "p.boris").write_text(json.dumps(project))
    with pytest.raises(BadInput, match=sentence):
        annotations.read(tmp_path / "p.boris", TIMES)
