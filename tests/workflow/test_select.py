"""Candidates of several seeds and settings go through the rules of any model, where asked for."""

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
    """Models of which a dry run plans the jobs of a rule."""
    blocks = re.findall(rf"^(?:local)?rule {rule}:\n((?:    .*\n)+)", text, re.M)
    return {re.search(r"model=([^,\s]+)", block)[1] for block in blocks}


def words_of(text):
    """`fit` says with what it is called."""
    head, script, tail = text.rpartition("    script:")
    call = "CALL {wildcards.model} {params.seed} {params.settings[prior_settings][states]}"
    return f'{head}    message:\n        "{call}"\n{script}{tail}'


def test_a_plain_run_trains_no_candidate(selecting):
    text = selecting.run("--dry-run")
    assert jobs(text, "fit") == {"slds", "pca-arhmm"}
    assert not jobs(text, "select")


def test_every_candidate_is_fitted_with_its_seed_and_settings(selecting):
    with selecting.changed("workflow/rules/fit.smk", words_of):
        text = selecting.run("--dry-run", CHOICE)
    assert jobs(text, "evaluate") == CANDIDATES
    assert jobs(text, "select") == {"pca-arhmm"}
    assert sorted(re.findall(r"CALL (\S+) (\d+) (\d+)", text)) == [
        ("pca-arhmm.base.7", "7", "12"),
        ("pca-arhmm.base.8", "8", "12"),
        ("pca-arhmm.lean.7", "7", "4"),
        ("pca-arhmm.lean.8", "8", "4"),
    ]


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
