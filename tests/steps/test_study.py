"""New studies, comparisons of results, and parameters of steps that are called by hand."""

import shutil

import pytest
import yaml

from syllabary import steps, study
from syllabary.errors import BadInput, BadSetting, UnknownName
from syllabary.steps import compare_results, extract_settings, new_study, open_study, parameters

from .conftest import MODEL

TABLE = "recording\tpath\tsubject\tgroup\nm1\tsimulated\tm1\tcontrol\n"


@pytest.fixture
def template(tmp_path):
    folder = tmp_path / "shipped"
    for name in ("config", "data", "workflow/schemas"):
        (folder / name).mkdir(parents=True)
    (folder / "config/config.yaml").write_text("seed: 0\n")
    (folder / "config/recordings.tsv").write_text(TABLE)
    (folder / "workflow/schemas/config.schema.json").write_text("{}")
    for name in ("config", "data"):
        (folder / name / "README.md").write_text("# Help\n")
    return folder


def test_a_new_study_has_the_shipped_config_or_every_setting(template, tmp_path):
    new_study(tmp_path / "short", template)
    assert (tmp_path / "short/config/config.yaml").read_text() == "seed: 0\n"
    new_study(tmp_path / "long", template, every_setting=True)
    written = yaml.safe_load((tmp_path / "long/config/config.yaml").read_text())
    assert study.read_config(written) == study.Config()


def test_a_folder_that_is_not_empty_is_no_new_study(template, tmp_path):
    with pytest.raises(BadInput, match="is not empty; name a new folder"):
        new_study(tmp_path, template)


@pytest.mark.parametrize("row", ["x\t1", "1\t", "cut\t0"])
def test_a_wrong_table_of_merges_stops_before_work_starts(row, tmp_path, monkeypatch):
    (tmp_path / "recordings.tsv").write_text(TABLE)
    (tmp_path / "config/merges").mkdir(parents=True)
    (tmp_path / "config/merges/slds.tsv").write_text(f"state\tsyllable\n{row}\n")
    monkeypatch.chdir(tmp_path)
    config = {"recordings": str(tmp_path / "recordings.tsv")}
    with pytest.raises(BadInput, match=r"merges/slds\.tsv, line 2: "):
        open_study(config)
    open_study(config, look=False)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "recordings.tsv").write_text(TABLE)
    path = tmp_path / "config.yaml"
    values = {
        "seed": 4,
        "recordings": str(tmp_path / "recordings.tsv"),
        "models": {"m": MODEL},
        "overrides": {"m1": {"arena": {"margin_mm": 25}}},
    }
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_study_is_opened_with_roles(config):
    checked, recordings = open_study(yaml.safe_load(config.read_text()))
    assert recordings["role"].to_dict() == {"m1": "train"}
    assert extract_settings(checked, "m1").arena.margin_mm == 25


def test_a_step_gets_what_it_names(config):
    wanted = ("settings", "seed", "recordings")
    of_model = parameters(config, "m", wanted=wanted)
    assert (of_model["seed"], of_model["settings"]["prior"]) == (4, "arhmm")
    assert of_model["recordings"] == [
        {"recording": "m1", "subject": "m1", "group": "control", "role": "train"}
    ]
    assert (
        parameters(config, "extract", wanted=("settings",), recording="m1")["settings"]["arena"][
            "margin_mm"
        ]
        == 25
    )
    assert parameters(config, "draw", wanted=()) == {}


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("seed: [", BadInput, "is not YAML"),
        ("- seed", BadInput, "holds a list; wanted sections"),
        ("models: {m: {build: true}}", BadSetting, "is now called 'subject_offset'"),
        ("models: {m: {}}", UnknownName, "no model 'slds'; it has m"),
    ],
)
def test_a_wrong_config_gets_one_sentence(tmp_path, text, error, sentence):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(error, match=sentence):
        parameters(path, "slds", wanted=("settings",))


def test_a_config_that_is_not_there(tmp_path):
    with pytest.raises(BadInput, match="no such file; give the study's settings with --config"):
        parameters(tmp_path / "none.yaml", "m", wanted=())


def test_results_are_equal_to_themselves(trained):
    text, is_equal = compare_results(trained.folder, trained.folder)
    assert is_equal
    assert text


def test_a_new_study_lists_the_recordings_below_a_folder(template, session, tmp_path):
    for name in ("b/m2", "b/m1"):
        shutil.copytree(session, tmp_path / "raw" / name)
    text = new_study(tmp_path / "new", template, source=tmp_path / "raw")
    assert "2 recordings below" in text and "fill in the column 'group'" in text
    path = tmp_path / "new/config/recordings.tsv"
    with pytest.raises(BadInput, match="line 3: no group; every recording needs one"):
        study.read_recordings(path)
    path.write_text(path.read_text().replace("\t\n", "\tcontrol\n"))
    table = study.read_recordings(path)
    assert list(table.index) == ["m1", "m2"]
    assert table.loc["m2", "path"] == str((tmp_path / "raw/b/m2").resolve())


def test_a_folder_without_recordings_makes_no_study(template, tmp_path):
    (tmp_path / "raw").mkdir()
    with pytest.raises(BadInput, match="raw: no raw recording below it"):
        new_study(tmp_path / "new", template, source=tmp_path / "raw")
    assert not (tmp_path / "new").exists()


EXPRESSIONS = "__use_yte__: true\nseed: '?1 + 1'\n"


@pytest.mark.parametrize(
    "arguments", [[], ["-n"], ["--configfile", "other.yaml"], ["--configfiles=other.yaml"]]
)
def test_expressions_are_refused_before_snakemake_reads_them(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    is_other = any("other" in argument for argument in arguments)
    (tmp_path / "config/config.yaml").write_text("seed: 0\n" if is_other else EXPRESSIONS)
    (tmp_path / "other.yaml").write_text(EXPRESSIONS)
    with pytest.raises(BadInput, match="line 1: __use_yte__ makes Snakemake run"):
        steps.require_harmless(arguments)


@pytest.mark.parametrize("text", ["", "\n", "# seed: 0\n", "---\n", "{}\n", "null\n"])
def test_a_config_without_a_setting_is_one_sentence(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"config\.yaml: holds no setting; write one"):
        steps.require_harmless()


def test_programs_that_snakemake_would_import_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps.require_harmless(["--profile", "slurm"])
    (tmp_path / "slurm").mkdir()
    with pytest.raises(BadInput, match="--profile slurm: this folder has a 'slurm' too"):
        steps.require_harmless(["--profile", "slurm"])
    (tmp_path / ".snakemake/pip-deployments").mkdir(parents=True)
    with pytest.raises(BadInput, match="pip-deployments: programs there would run"):
        steps.require_harmless()


LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{y}: &{y} [{', '.join([f'*{x}'] * 10)}]\n" for x, y in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LAUGHS, "more than 100000 values"),
        ("a: &a [*a]\n", "the alias \\*a is inside its own anchor"),
        ("a: " + "[" * 40 + "]" * 40, "nested more than 30 deep"),
        ("a: !!python/name:os.system\n", "makes an object"),
        ("seed: 1\nseed: 2\n", "line 2: 'seed' is already on line 1"),
        ("seed: 010\n", "YAML reads 010 as another number"),
        ("reduce: {smooth_s: 1:30}\n", "YAML reads 1:30 as another number"),
        ("a: 1\n---\nb: 2\n", "a second YAML document"),
    ],
)  # fmt: skip
def test_yaml_that_is_more_than_values_is_refused(tmp_path, monkeypatch, text, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text(text)
    with pytest.raises(BadInput, match=sentence):
        steps.require_harmless()
