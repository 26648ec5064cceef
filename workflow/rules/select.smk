# Candidates of several seeds and settings to one model, by animals that none was trained on.


JUDGES = [r for r in RECORDINGS.index if RECORDINGS.role[r] != "apply"]


def candidates_of(wildcards):
    """Files of the candidates; they must be of the model that `select` names."""
    if wildcards.model != STUDY.select.model:
        raise WorkflowError(
            f"select.model is {STUDY.select.model or 'null'}; set it to {wildcards.model} to train "
            "that model under several seeds and settings."
        )
    return {
        "likelihoods": of_models(
            ["results/tables/{model}/likelihood.parquet"], CANDIDATES
        ),
        "labels": of_models(
            of_recordings(
                "results/recordings/{recording}/labels/{{model}}.parquet", JUDGES
            ),
            CANDIDATES,
        ),
        "models": of_models(["results/models/{model}/model.safetensors"], CANDIDATES),
    }


# Only where it is asked for: syllabary run results/select/<model>/choice.json
rule select:
    input:
        unpack(candidates_of),
        quality=of_recordings("results/recordings/{recording}/quality.json", JUDGES),
    output:
        choice="results/select/{model}/choice.json",
        stability="results/select/{model}/stability.parquet",
        model="results/select/{model}/model.safetensors",
    log:
        "logs/select/{model}.log",
    benchmark:
        "results/timing/select/{model}.tsv"
    wildcard_constraints:
        model="|".join(map(re.escape, FITTED)) or "(?!)",
    resources:
        mem_mb=2000,
    params:
        recordings=rows(JUDGES),
        settings=settings_of("select"),
        code=steps.code_of("select"),
    script:
        "../scripts/step.py"
