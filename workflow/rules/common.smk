# What the rules share: the checked study, the files of a recording, and how a step is called.
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
# Animals that no model has seen; without any, all.
UNSEEN = [r for r in RECORDINGS.index if RECORDINGS.role[r] == "held_out"] or list(
    RECORDINGS.index
)
MODELS = list(STUDY.models)
# Settings and seed of every model: those of the study, and the candidates of `select`.
FITS = steps.fits(STUDY)
CANDIDATES = [name for name in FITS if name not in MODELS]
FITTED = [name for name, model in STUDY.models.items() if model.path is None]


wildcard_constraints:
    recording="|".join(map(re.escape, RECORDINGS.index)),
    model="|".join(map(re.escape, FITS)),


def settings_of(section):
    """The checked section with its defaults: its own settings are all a rule depends on."""
    return getattr(STUDY, section).model_dump(mode="json")


def extract_settings(wildcards):
    """Settings of `extract` for a recording; another recording's own do not matter to it."""
    return steps.extract_settings(STUDY, wildcards.recording).model_dump(mode="json")


def row_of(recording):
    """Who is in a recording, for the tables."""
    return {
        name: RECORDINGS[name][recording]
        for name in ("recording", "subject", "group", "role")
    }


def rows(recordings=tuple(RECORDINGS.index)):
    """Who is in each recording, in the order of the files."""
    return [row_of(recording) for recording in recordings]


def source_of(wildcards):
    """What `extract` reads: the folder that `simulate` fills, or the user's own path."""
    if wildcards.recording in TRUE:
        return f"results/simulated/{wildcards.recording}"
    return RECORDINGS.path[wildcards.recording]


def raw_files(wildcards):
    """Files of a raw recording and its outline: a changed one is extracted again."""
    outline = steps.extract_settings(STUDY, wildcards.recording).arena.mask
    drawn = [outline] if outline else []
    if wildcards.recording in TRUE:
        raw = [f"results/simulated/{wildcards.recording}/{name}" for name in RAW]
    else:
        raw = steps.source_files(RECORDINGS.path[wildcards.recording])
    return [*raw, *drawn]


def flips_file(wildcards):
    """What decides head ends beside the program: a person's list, another network."""
    flips = Path(f"config/flips/{wildcards.recording}.tsv")
    weights = STUDY.extract.heading.weights
    inputs = {"flips": str(flips)} if flips.is_file() else {}
    return {**inputs, "weights": weights} if weights else inputs


def model_file(wildcards):
    """A model's file: fitted here, or named by its path."""
    return (
        FITS[wildcards.model].settings.path
        or f"results/models/{wildcards.model}/model.safetensors"
    )


def names_file(wildcards):
    """Names that people gave to the syllables of a model, if they did."""
    path = Path(f"config/names/{wildcards.model}.tsv")
    return {"names": str(path)} if path.is_file() else {}


def labels_file(wildcards):
    """Behaviors that people labeled, if they did."""
    path = Path(STUDY.labels)
    return {"annotations": str(path)} if path.is_file() else {}


def of_recordings(pattern, recordings=tuple(RECORDINGS.index)):
    """One path for each recording; `{{model}}` in the pattern stays a wildcard."""
    return expand(pattern, recording=recordings)


def of_models(patterns, models=tuple(MODELS)):
    """The same paths for every model."""
    return [pattern.format(model=model) for model in models for pattern in patterns]


def targets():
    """All that a study ends with."""
    return [
        "results/report/index.html",
        "results/figures",
        *expand(
            "results/export/{format}/{model}", format=STUDY.export.formats, model=MODELS
        ),
    ]
