import pandas as pd
import pytest

from syllabary import study
from syllabary.errors import BadInput, BadSetting


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "recordings.tsv"
        path.write_text(text.replace(" ", "\t"))
        return path

    return write


def rows(*lines, columns="recording path subject group"):
    return "\n".join([columns, *lines]) + "\n"


def simulated(animals, groups=("a", "b")):
    lines = [f"{g}{i} simulated {g}{i} {g}" for g in groups for i in range(animals)]
    return rows(*lines)


def test_one_animal_in_five_of_a_group_of_four_or_more_is_held_out(write):
    for animals, expected in ((3, 0), (4, 1), (5, 1), (10, 2)):
        table = study.read_recordings(write(simulated(animals)))
        held_out = table[table["role"] == "held_out"]
        assert [int((held_out["group"] == g).sum()) for g in "ab"] == [expected] * 2


def test_all_recordings_of_a_held_out_animal_are_held_out(write):
    lines = [f"{a}_{d} simulated {a} g" for a in ("m1", "m2", "m3", "m4") for d in "12"]
    table = study.read_recordings(write(rows(*lines)))
    assert table.groupby("subject")["role"].nunique().eq(1).all()
    assert (table["role"] == "held_out").sum() == 2


def test_who_is_held_out_does_not_depend_on_the_order_of_rows(write):
    text = simulated(5)
    head, *lines = text.splitlines()
    forward = study.read_recordings(write(text))["role"]
    backward = study.read_recordings(write("\n".join([head, *lines[::-1]])))["role"]
    pd.testing.assert_series_equal(forward.sort_index(), backward.sort_index())


def test_given_roles_are_kept_and_covariates_too(write):
    table = study.read_recordings(
        write(
            rows(
                "a simulated a g apply 1.5",
                "b simulated b g train 2",
                columns="recording path subject group role dose_mg",
            )
        )
    )
    assert table["role"].to_dict() == {"a": "apply", "b": "train"}
    assert "dose_mg" in table


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (rows("a x s g", "a y s g"), r"line 3: the name 'a' is already on line 2; list each"),
        (rows("a x s g", "b x s g"), r"line 3: the path 'x' is already on line 2"),
        (rows("a/b x s g"), r"line 2: recording name 'a/b' becomes a file name; use at most"),
        (rows("../b x s g"), r"recording name '\.\./b'"),
        (rows("a x s g", "b y s h"), r"subject 's' is in the groups g, h"),
        (rows("a x s", columns="recording path subject"), r"lacks the column group; it has recording"),
        (rows(), r"lists no recording"),
        (rows("a x s g odd", columns="recording path subject group role"), r"role 'odd'; wanted train"),
        (rows("a x s g apply", columns="recording path subject group role"), r"no recording .* 'train'"),
        ("recording\tpath\tsubject\tgroup\na\t\ts\tg\n", r"line 2: no path"),
    ],
)
def test_a_bad_table_gets_one_sentence(write, text, sentence):
    with pytest.raises(BadInput, match=sentence):
        study.read_recordings(write(text))


@pytest.mark.parametrize("spelling", ["raw/m1/", "raw/../raw/m1", "raw/m1/depth.dat"])
def test_a_folder_spelled_twice_is_one_recording(write, spelling):
    with pytest.raises(BadInput, match=r"line 3: the path .* is already on line 2"):
        study.read_recordings(write(rows("a raw/m1 s g", f"b {spelling} t g")))


def test_tables_as_spreadsheets_and_people_write_them(tmp_path):
    path = tmp_path / "recordings.tsv"
    text = (
        "\ufeffrecording\tpath\tsubject\tgroup\t\r\n# a comment\r\n\r\nm1\tsimulated\tNA \tA#1\t\t\r\n"
    )
    path.write_bytes(text.encode())
    table = study.read_recordings(path)
    assert table.loc["m1", ["subject", "group", "role"]].tolist() == ["NA", "A#1", "train"]


def test_a_held_out_animal_is_never_trained_on(write):
    lines = ("a simulated s g train", "b simulated s g held_out")
    with pytest.raises(BadInput, match="'s' has recordings to train on and held out"):
        study.read_recordings(write(rows(*lines, columns="recording path subject group role")))


def test_a_missing_table_says_how_to_make_one(tmp_path):
    with pytest.raises(BadInput, match="no table of recordings; write one with the columns recording"):
        study.read_recordings(tmp_path / "none.tsv")


def test_every_missing_source_is_named(write, tmp_path):
    table = study.read_recordings(write(rows(f"a {tmp_path}/no1 s g", f"b {tmp_path}/no2 s g")))
    with pytest.raises(BadInput, match=r"(?s)a: .*no1.*\nb: .*no2"):
        study.require_sources(table)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"extrakt": {}}, r"unknown setting extrakt; did you mean 'extract'\?"),
        ({"seed": "x"}, r"setting seed = 'x': "),
        (
            {"models": {"m": {"training": {"sweps": 1}}}},
            r"models\.m\.training\.sweps; did you mean 'sweeps'",
        ),
        ({"models": {"my model": {}}}, r"model name 'my model': use letters"),
        ({"models": {}}, r"setting models = \{\}"),
        ({"draw": {"dpii": 3}}, r"unknown setting draw\.dpii; did you mean 'dpi'"),
    ],
)
def test_a_bad_config_gets_one_sentence(config, sentence):
    with pytest.raises(BadSetting, match=sentence):
        study.read_config(config)


def test_a_model_elsewhere_must_exist():
    with pytest.raises(BadInput, match=r"models\.old\.path: no file 'nowhere"):
        study.read_config({"models": {"old": {"path": "nowhere.safetensors"}}})


def test_names_behind_the_settings_are_checked():
    for section, sentence in (
        ({"export": {"formats": ["cvs"]}}, "did you mean 'csv'"),
        ({"models": {"m": {"prior": "arhm"}}}, "did you mean 'arhmm'"),
        ({"draw": {"figures": ["usag"]}}, "did you mean 'usage'"),
        ({"draw": {"palette": "nope"}}, "draw.palette = 'nope'"),
        ({"models": {"m": {"prior_settings": {"stats": 3}}}}, r"models\.m.*stats"),
        ({"models": {"m": {"network": "convv"}}}, "did you mean 'conv'"),
        ({"models": {"m": {"network_settings": {"max_precison": 3}}}}, r"models\.m.*max_precision"),
    ):
        with pytest.raises(ValueError, match=sentence):
            study.check_choices(study.read_config(section))


def test_labels_must_be_of_recordings_of_the_study(write, tmp_path):
    table = study.read_recordings(write(simulated(2)))
    study.require_labels(tmp_path / "labels.csv", table)  # nobody labelled anything
    (tmp_path / "labels.csv").write_text("recording,start_s,stop_s,behaviour\na9,0,1,walk\n")
    with pytest.raises(BadInput, match="unknown recording 'a9'; name one of the study"):
        study.require_labels(tmp_path / "labels.csv", table)


def test_a_table_of_labels_that_is_named_must_exist():
    assert study.read_config({}).labels == "config/labels.csv"
    with pytest.raises(BadInput, match=r"labels: no file 'ours\.csv'"):
        study.read_config({"labels": "ours.csv"})
