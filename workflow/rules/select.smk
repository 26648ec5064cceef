# Candidates of several seeds and settings to one model, by animals that none of them has seen.


JUDGES = [r for r in RECORDINGS.index if RECORDINGS.role[r] != "apply"]


# Only where it is asked for: syllabary run results/select/<model>/choice.json
rule select:
    input:
        likelihoods=of_models(["results/tables/{model}/likelihood.parquet"], CANDIDATES),
        labels=of_models(
            of_recordings(
                "results/recordings/{recording}/labels/{{model}}.parquet", JUDGES
            ),
            CANDIDATES,
        ),
        models=of_models(["results/models/{model}/model.safetensors"], CANDIDATES),
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
        model=re.escape(STUDY.select.model or "") or "(?!)",
    resources:
        mem_mb=2000,
    params:
        recordings=rows(JUDGES),
        settings=settings_of("select"),
        code=steps.code_of("select"),
    script:
        "../scripts/step.py"
