import numpy as np
import pandas as pd
import pytest
import yaml

from syllabary import steps, study
from syllabary.errors import BadInput, BadSetting, UnknownName


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
        study.require_sources(study.Config(), table)


OVERRIDES = {
    "extract": {"arena": {"margin_mm": 20}, "tracking": {"median_px": 5}},
    "overrides": {"b": {"arena": {"which": 2}, "source": {"rows": 2, "columns": 3}}},
}


def test_settings_of_a_recording_are_laid_over_the_studys():
    config = study.read_config(OVERRIDES)
    settings = study.extract_settings(config, "b")
    assert study.extract_settings(config, "a") == config.extract
    assert (settings.arena.which, settings.arena.margin_mm, settings.tracking.median_px) == (2, 20, 5)
    assert settings.source.columns == 3
    assert settings.crop == config.extract.crop


def test_overrides_of_an_unknown_recording(write):
    table = study.read_recordings(write(rows("mouse_1 x s g", "mouse_2 y s g")))
    config = study.read_config({"overrides": {"mouse1": {}}})
    with pytest.raises(
        BadSetting, match=r"overrides.mouse1: no such recording; did you mean 'mouse_1'\?"
    ):
        study.require_overrides(config, table)


def test_sources_are_looked_at_with_the_settings_of_their_recording(write, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        np.zeros(12, "<u2").tofile(tmp_path / name / "depth.dat")
        (tmp_path / name / "depth_ts.txt").write_text("33.3 0\n66.6 0\n")
    table = study.read_recordings(write(rows(f"a {tmp_path}/a s g", f"b {tmp_path}/b s g")))
    with pytest.raises(BadInput) as error:
        study.require_sources(study.read_config(OVERRIDES), table)
    assert str(error.value).startswith("a: ")
    assert "\nb: " not in str(error.value)


def test_a_missing_outline_is_found_before_work_starts(write):
    table = study.read_recordings(write(rows("a simulated s g", "b simulated s g")))
    config = study.read_config({"overrides": {"b": {"arena": {"mask": "nowhere.png"}}}})
    with pytest.raises(BadInput, match=r"^b: nowhere\.png: no such mask"):
        study.require_sources(config, table)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"extrakt": {}}, r"unknown setting extrakt; did you mean 'extract'\?"),
        ({"seed": "x"}, r"setting seed = 'x': "),
        (
            {"overrides": {"m1": {"arna": {}}}},
            r"unknown setting overrides.m1.arna; did you mean 'arena'",
        ),
        ({"overrides": {"m1": {"arena": {"which": 0}}}}, r"setting overrides\.m1\.arena\.which = 0: "),
        (
            {"models": {"m": {"training": {"iteratons": 1}}}},
            r"models\.m\.training\.iteratons; did you mean 'iterations'",
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
    study.require_labels(tmp_path / "labels.csv", table)  # nobody labeled anything
    (tmp_path / "labels.csv").write_text("recording,start_s,stop_s,behavior\na9,0,1,walk\n")
    with pytest.raises(BadInput, match="unknown recording 'a9'; name one of the study"):
        study.require_labels(tmp_path / "labels.csv", table)


def test_a_table_of_labels_that_is_named_must_exist():
    assert study.read_config({}).labels == "config/labels.csv"
    with pytest.raises(BadInput, match=r"labels: no file 'ours\.csv'"):
        study.read_config({"labels": "ours.csv"})


def select(**section):
    return {"models": {"m": {"training": {"iterations": 7}}, "n": {}}, "select": section}


def test_nothing_is_selected_unless_a_model_is_named():
    assert study.candidates(study.read_config({})) == {}
    config = study.read_config({"seed": 3})
    assert study.fits(config) == {n: study.Candidate(m, 3) for n, m in config.models.items()}


def test_candidates_are_every_variant_under_every_seed():
    variants = {"base": {}, "coarse": {"discovery": {"syllables": 9}}}
    config = study.read_config({"seed": 5, **select(model="m", seeds=2, settings=variants)})
    candidates = study.candidates(config)
    assert list(candidates) == ["m.base.5", "m.base.6", "m.coarse.5", "m.coarse.6"]
    assert [c.seed for c in candidates.values()] == [5, 6, 5, 6]
    assert candidates["m.base.6"].settings == config.models["m"]
    coarse = candidates["m.coarse.5"]
    assert coarse.variant == "coarse"
    assert coarse.settings.training.iterations == 7  # the model's own
    assert coarse.settings.discovery.syllables == 9
    assert list(study.fits(config)) == ["m", "n", *candidates]


def test_a_variant_is_laid_over_the_models_settings_key_by_key():
    models = {"m": {"prior": "slds", "prior_settings": {"states": 12}, "discovery": {"states": 9}}}
    variants = {
        "fewer": {"prior_settings": {"states": 4}},
        "other": {"prior": "gmm"},
        "none": {"discovery": None},
        "finer": {"discovery": {"lags": 2}},
    }
    config = study.read_config({"models": models, "select": {"model": "m", "settings": variants}})
    error = {c.variant: c.settings for c in study.candidates(config).values()}
    assert error["fewer"].prior_settings == {"states": 4}
    assert error["fewer"].prior == "slds"
    assert error["other"].prior_settings == {}  # another prior's settings are no use to it
    assert error["none"].discovery is None
    assert (error["finer"].discovery.states, error["finer"].discovery.lags) == (9, 2)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (select(model="mm"), r"select\.model = 'mm': no such model; did you mean 'm'\? Known: m, n"),
        (select(model="m", seeds=1), r"setting select\.seeds = 1"),
        (
            select(model="m", settings={"a": {}, "b": {"registration": True}}),
            r"some variants register crops and others do not.*can't be ranked",
        ),
        (select(model="m", settings={}), r"setting select\.settings"),
        (select(model="m", settings={"a b": {}}), r"candidate 'm\.a b\.0' becomes a file name"),
        (select(model="m", settings={"": {}}), r"candidate 'm\.\.0' becomes a file name"),
        (select(model="m", settings={"v" * 99: {}}), r"at most 100 in all"),
        (select(model="m", settings={"v": {"path": "x"}}), r"'v': has a path, so nothing is trained"),
        (
            select(model="m", settings={"v": {"training": {"iteratons": 1}}}),
            r"select\.settings\.v\.training\.iteratons; did you mean 'iterations'",
        ),
        (
            {"models": {"m": {}, "m.base.2": {}}, "select": {"model": "m"}},
            r"'m\.base\.2' is a model in 'models' already",
        ),
    ],
)
def test_a_bad_selection_gets_one_sentence(config, sentence):
    with pytest.raises(BadSetting, match=sentence):
        study.read_config(config)


def test_names_behind_the_settings_of_a_variant_are_checked():
    config = study.read_config(select(model="m", settings={"v": {"prior_settings": {"stats": 3}}}))
    with pytest.raises(BadSetting, match=r"select\.settings\.v.*stats"):
        study.check_choices(config)


def test_a_selection_needs_animals_that_no_model_sees(write):
    config = study.read_config(select(model="m"))
    study.require_held_out(config, study.read_recordings(write(simulated(4))))
    few = study.read_recordings(write(simulated(2)))
    study.require_held_out(study.read_config({}), few)
    with pytest.raises(BadInput, match="'m' is to be judged by animals never trained on"):
        study.require_held_out(config, few)


def test_a_candidate_can_be_fitted_by_hand(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("seed: 3\nmodels: {m: {}}\nselect: {model: m, settings: {v: {prior: gmm}}}\n")
    parameters = steps.parameters(path, "m.v.4", wanted=("settings", "seed"))
    assert parameters["seed"] == 4
    assert parameters["settings"]["prior"] == "gmm"
    assert steps.parameters(path, "m", wanted=("settings", "seed"))["seed"] == 3
    assert steps.parameters(path, "select", wanted=("settings",))["settings"]["model"] == "m"
    with pytest.raises(UnknownName, match=r"no model 'm\.v\.8'; it has m, m\.v\.3"):
        steps.parameters(path, "m.v.8", wanted=("settings",))


@pytest.mark.parametrize("name", ["20240501", "002", "2024-05-01", "1.50", "on", "0x1F"])
def test_overrides_find_a_recording_whose_name_yaml_reads_as_something_else(write, name):
    path = write(rows(f"{name} x s g", "b y s g"))
    values = yaml.safe_load(f"recordings: {path}\noverrides:\n  {name}: {{arena: {{which: 2}}}}\n")
    config = study.read_config(values)
    assert list(config.overrides) == [name]
    assert study.extract_settings(config, name).arena.which == 2


@pytest.mark.parametrize(
    ("names", "why"), [(("002", "02"), "it may be '002' or '02'"), (("a", "b"), "has no such recording")]
)
def test_an_ambiguous_name_in_overrides_is_to_be_put_in_quotes(write, names, why):
    path = write(rows(*(f"{name} {name}x s g" for name in names)))
    with pytest.raises(BadSetting, match=f"YAML reads a name as 2, and .*{why}; put the name in quotes"):
        study.read_config({"recordings": str(path), "overrides": {2: {}}})


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("cafe\u0301", "caf\u00e9"),
        ("day1\\m1", "day1/m1"),
        ("~/m1", "home/m1"),
    ],
)
def test_a_path_is_found_however_it_is_spelled(write, tmp_path, monkeypatch, written, there):
    (tmp_path / there).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    table = study.read_recordings(write(rows(f"a {written} s g")))
    assert (tmp_path / table["path"]["a"]).samefile(tmp_path / there)


@pytest.mark.parametrize("name", ["con", "AUX.2", "m1."])
def test_a_name_that_is_no_file_on_some_computers_is_refused(write, name):
    with pytest.raises(BadInput, match="is no file on some computers"):
        study.read_recordings(write(rows(f"{name} x s g")))


@pytest.mark.parametrize("model", list(study.Config().models))
def test_names_of_every_model_are_checked(tmp_path, model):
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / f"{model}.tsv").write_text("syllable\tname\n0 walk\n")
    with pytest.raises(BadInput, match=f"{model}.tsv, line 2: syllable '0 walk' is not a number"):
        study.require_tables(study.Config(), tmp_path)


@pytest.mark.parametrize("setting", ["labels", "model"])
def test_braces_in_the_path_of_a_setting_are_refused(write, tmp_path, setting):
    (tmp_path / "a{b}").write_text("")
    path = str(tmp_path / "a{b}")
    values = {"labels": path} if setting == "labels" else {"models": {"m": {"path": path}}}
    table = study.read_recordings(write(rows("a x s g")))
    with pytest.raises(BadSetting, match="must have no braces; rename it or link to it"):
        study.require_paths(study.read_config(values), table)
