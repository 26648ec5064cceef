"""What must agree across the repository's own files."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from syllabary import study

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(*extras):
    texts = [*PROJECT["dependencies"], *(r for e in extras for r in PROJECT["optional-dependencies"][e])]
    return [Requirement(text) for text in texts]


def pins(lines):
    pinned = {}
    for line in lines:
        name, equals, version = line.strip().partition("==")
        if equals and not name.startswith("#"):
            pinned[canonicalize_name(name)] = version
    return pinned


CONSTRAINTS = pins((ROOT / "constraints.txt").read_text().splitlines())


@pytest.mark.parametrize("requirement", requirements("test", "dev", "docs"), ids=lambda r: r.name)
def test_every_range_admits_its_pin(requirement):
    assert CONSTRAINTS[canonicalize_name(requirement.name)] in requirement.specifier


def test_pins_carry_no_local_tag():
    assert not [v for v in CONSTRAINTS.values() if "+" in v]


def test_the_conda_environment_has_the_same_pins_and_all_of_them():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    [listed] = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    pinned = pins(listed)
    assert set(pinned) == {canonicalize_name(r.name) for r in requirements("test")}
    assert pinned == {name: CONSTRAINTS[name] for name in pinned}
    assert "-e .[test]" in listed


def test_the_schema_is_that_of_the_settings():
    written = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text())
    assert written == study.schema(), "write it again with: make schema"


def test_the_shipped_config_has_the_values_that_hold_without_it():
    written = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    assert study.read_config(written) == study.Config()


def test_every_value_of_the_shipped_config_has_a_comment():
    lines = (ROOT / "config/config.yaml").read_text().splitlines()
    bare = [line for line in lines if line.strip() and "#" not in line and not line.endswith(":")]
    assert [line.strip() for line in bare] == ["network: conv", "prior: slds"]


def test_a_config_of_all_settings_has_the_same_values():
    assert study.read_config(yaml.safe_load(study.template())) == study.Config()


def test_settings_that_cannot_act_on_a_model_are_not_written_for_it():
    models = yaml.safe_load(study.template())["models"]
    assert "epochs" in models["slds"]["training"]
    assert "clamped_iterations" in models["slds"]["training"]
    assert not {"epochs", "window_frames", "clamped_iterations"} & set(models["pca-slds"]["training"])
    assert "latent_iterations" in models["pca-slds"]["training"]
    assert "latent_iterations" not in models["pca-arhmm"]["training"]


def test_the_page_of_settings_is_that_of_the_settings():
    # A new network or prior brings settings of its own, and nothing has to be written for it at once.
    chosen_by_name = "## `network_settings"
    page, expected = (ROOT / "docs/settings.md").read_text(), study.reference()
    assert page.partition(chosen_by_name)[0] == expected.partition(chosen_by_name)[0], (
        "write it again with: make schema"
    )
    assert "## `network_settings: conv`" in page and "## `prior_settings: slds`" in page
    assert "| `max_stickiness` | number, > 0 | `100.0` |" in page


def test_the_shipped_study_is_eight_simulated_animals_in_two_groups():
    table = study.read_recordings(ROOT / "config/recordings.tsv")
    assert (table["path"] == study.SIMULATED).all()
    assert table["group"].value_counts().tolist() == [4, 4]
    assert (table["role"] == "held_out").sum() == 2


def test_no_module_outgrows_its_subject():
    sizes = {p: len(p.read_text().splitlines()) for p in (ROOT / "pipeline").rglob("*.py")}
    assert not {str(p): n for p, n in sizes.items() if n > 400}
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 40


def test_files_speak_of_the_project_alone():
    """No absolute path of a developer's machine in what is shipped."""
    text = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/")
    places = ("pipeline", "workflow", "config", "docs", "benchmarks", "profiles")
    suffixes = {".py", ".md", ".smk", ".yaml", ".tsv", ".csv", ".html", ".js", ".css"}
    files = [p for place in places for p in (ROOT / place).rglob("*") if p.suffix in suffixes]
    assert not [p for p in files if text.search(p.read_text(encoding="utf-8"))]
