"""Candidates of several seeds and settings go through the rules of any model, where they are asked for."""

import json
import re

import pytest

from .conftest import CONFIG

pytestmark = pytest.mark.workflow
CHOICE = "results/select/pca-arhmm/choice.json"
SELECT = """
select:
  model: pca-arhmm
  seeds: 2
  settings: {{base: {{}}, lean: {{prior_settings: {{states: 4}}}}}}
"""
CANDIDATES = {f"pca-arhmm.{variant}.{seed}" for variant in ("base", "lean") for seed in (7, 8)}
TABLE = "recording\tpath\tsubject\tgroup\trole\n" + "".join(
    f"{name}\tsimulated\t{name}\tcontrol\t{role}\n"
    for name, role in (("c1", "train"), ("c2", "train"), ("c3", "held_out"), ("c4", "apply"))
)


@pytest.fixture
def selecting(study):
    study.write("config/config.yaml", (CONFIG + SELECT).format(seed=7))
    study.write("config/recordings.tsv", TABLE)
    return study


def jobs(text, rule):
    """Outputs that each planned job of a rule would make, by its wildcard `model`."""
    blocks = re.findall(rf"^(?:local)?rule {rule}:\n((?:    .*\n)+)", text, re.M)
    return {re.search(r"model=([^,\s]+)", block)[1]: block for block in blocks}


def test_a_plain_run_trains_no_candidate(selecting):
    text = selecting.run("--dry-run")
    assert set(jobs(text, "fit")) == {"slds", "pca-arhmm"}
    assert not jobs(text, "select")


def test_every_candidate_is_fitted_with_its_seed_and_settings(selecting):
    text = selecting.run("--dry-run", "--printshellcmds", CHOICE)
    assert set(jobs(text, "fit")) == set(jobs(text, "evaluate")) == CANDIDATES
    script = "import json, sys; from syllabary import steps; import yaml; " + (
        "study, _ = steps.open_study(yaml.safe_load(open('config/config.yaml'))); "
        "print(json.dumps({n: [c.seed, c.settings.prior_settings] for n, c in steps.fits(study).items()}))"
    )
    found = json.loads(selecting.python("-c", script).stdout)
    assert {name: found[name] for name in CANDIDATES} == {
        f"pca-arhmm.{variant}.{seed}": [seed, {"states": states}]
        for variant, states in (("base", 12), ("lean", 4))
        for seed in (7, 8)
    }


def test_without_select_the_choice_is_refused(study):
    study.write("config/config.yaml", CONFIG.format(seed=7))
    study.write("config/recordings.tsv", TABLE)
    done = study.snakemake("--dry-run", CHOICE)
    assert done.returncode != 0
    sentence = "select.model is null; set it to pca-arhmm to train that model"
    assert sentence in done.stdout + done.stderr


def test_without_held_out_animals_nothing_starts(selecting):
    with selecting.changed("config/recordings.tsv", lambda text: text.replace("held_out", "train")):
        done = selecting.snakemake("--dry-run")
    assert done.returncode != 0
    assert "is to be judged by animals never trained on" in done.stdout + done.stderr
