# Shared by the rules: the checked study, the files of a recording, parameters of steps.
import re
import sys
from pathlib import Path

from syllabary import steps

try:
    STUDY, RECORDINGS = steps.open_study(config, look=workflow.is_main_process)
except steps.SyllabaryError as error:
    sys.exit(f"{type(error).__name__}: {error}")

SIMULATED = "simulated"
RAW = ("depth.dat", "depth_ts.txt", "metadata.json")
TRUE = [r for r in RECORDINGS.index if RECORDINGS.path[r] == SIMULATED]
TRAIN = [r for r in RECORDINGS.index if RECORDINGS.role[r] == "train"]
# Recordings of held-out animals; all recordings if no animal is held out.
UNSEEN = [r for r in RECORDINGS.index if RECORDINGS.role[r] == "held_out"] or list(
    RECORDINGS.index
)
MODELS = list(STUDY.models)
# Settings and seed of every model: those of the study, and the candidates of `select`.
FITS = steps.fits(STUDY)
# Cards for a job that can use one; see docs/how-to/gpu-cluster.md.
GPUS = steps.gpus(STUDY)
CANDIDATES = [name for name in FITS if name not in MODELS]
FITTED = [name for name, model in STUDY.models.items() if model.path is None]


wildcard_constraints:
    recording="|".join(map(re.escape, RECORDINGS.index)),
    model="|".join(map(re.escape, FITS)),


def settings_of(section):
    """The checked section with its defaults. A rule depends on its own section alone."""
    return getattr(STUDY, section).model_dump(mode="json")


def extract_settings(wildcards):
    """Settings of `extract` for one recording, with its overrides."""
    return steps.extract_settings(STUDY, wildcards.recording).model_dump(mode="json")


def rows(recordings=tuple(RECORDINGS.index), with_covariates=False):
    """The rows of recordings, in the order of the files. Few steps depend on covariates."""
    return steps.recording_rows(RECORDINGS, recordings, with_covariates=with_covariates)


def subjects(recordings):
    """The animals of recordings; their groups do not matter to a model."""
    names = ("recording", "subject")
    return [{name: row[name] for name in names} for row in rows(recordings)]


def source_of(wildcards):
    """The input of `extract`: the folder that `simulate` writes, or the path in the table."""
    if wildcards.recording in TRUE:
        return f"results/simulated/{wildcards.recording}"
    return RECORDINGS.path[wildcards.recording]


def raw_files(wildcards):
    """Files of a raw recording and its outline; a change extracts the recording again."""
    return [path for path in _raw(wildcards) if not has_braces(path)]


def has_braces(path):
    """Snakemake would take braces in the path of an input for the name of a wildcard."""
    return "{" in str(path)


def raw_with_braces(wildcards):
    """What tells whether a raw file has changed that cannot be an input: its size and its time."""
    files = [Path(path) for path in _raw(wildcards) if has_braces(path)]
    return [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]


def _raw(wildcards):
    outline = steps.extract_settings(STUDY, wildcards.recording).arena.mask
    outlines = [outline] if outline else []
    if wildcards.recording in TRUE:
        raw = [f"results/simulated/{wildcards.recording}/{name}" for name in RAW]
    else:
        raw = steps.source_files(RECORDINGS.path[wildcards.recording])
    return [*raw, *outlines]


def flips_file(wildcards):
    """Optional inputs that decide head ends: a list of flips, a trained network."""
    flips = Path(f"config/flips/{wildcards.recording}.tsv")
    weights = STUDY.extract.heading.weights
    inputs = {"flips": str(flips)} if flips.is_file() else {}
    return {**inputs, "weights": weights} if weights else inputs


def model_file(wildcards):
    """The file of a model: fitted in this study, or at the path in its settings."""
    return (
        FITS[wildcards.model].settings.path
        or f"results/models/{wildcards.model}/model.safetensors"
    )


def by_hand(wildcards):
    """People's tables of the syllables of a model, if there are any: merges and names."""
    tables = {
        name: Path(f"config/{name}/{wildcards.model}.tsv")
        for name in ("merges", "names")
    }
    return {name: str(path) for name, path in tables.items() if path.is_file()}


def labels_file(wildcards):
    """The table of behaviors that people labeled, if there is one."""
    path = Path(STUDY.labels)
    return {"human_labels": str(path)} if path.is_file() else {}


def of_recordings(pattern, recordings=tuple(RECORDINGS.index)):
    """One path for each recording; `{{model}}` in the pattern remains a wildcard."""
    return expand(pattern, recording=recordings)


def of_models(patterns, models=tuple(MODELS)):
    """The same paths for every model."""
    return [pattern.format(model=model) for model in models for pattern in patterns]


def targets():
    """The final results of a study."""
    return [
        "results/report/index.html",
        "results/figures",
        *expand(
            "results/export/{format}/{model}", format=STUDY.export.formats, model=MODELS
        ),
    ]
