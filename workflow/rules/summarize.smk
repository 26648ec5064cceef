# Labels to tables, scores where the truth is known, and exports.


TABLES = ("bouts", "usage", "transitions", "syllables", "statistics")


rule summarize:
    input:
        labels=of_recordings("results/recordings/{recording}/labels/{{model}}.parquet"),
        crops=of_recordings("results/recordings/{recording}/crops.h5"),
    output:
        **{name: f"results/tables/{{model}}/{name}.parquet" for name in TABLES},
    log:
        "logs/summarize/{model}.log",
    benchmark:
        "results/timing/summarize/{model}.tsv"
    params:
        recordings=rows(),
        settings=settings_of("summarize"),
        seed=STUDY.seed,
        code=steps.code_of("summarize"),
    resources:
        mem_mb=2000,
    script:
        "../scripts/step.py"


rule score:
    input:
        labels=of_recordings("results/recordings/{recording}/labels/{{model}}.parquet", TRUE),
        truth=of_recordings("results/simulated/{recording}/truth.parquet", TRUE),
    output:
        scores="results/tables/{model}/scores.json",
    log:
        "logs/score/{model}.log",
    benchmark:
        "results/timing/score/{model}.tsv"
    params:
        recordings=rows(TRUE),
        code=steps.code_of("score"),
    resources:
        mem_mb=2000,
    script:
        "../scripts/step.py"


rule export:
    input:
        labels=of_recordings("results/recordings/{recording}/labels/{{model}}.parquet"),
        crops=of_recordings("results/recordings/{recording}/crops.h5"),
        results=expand("results/tables/{{model}}/{table}.parquet", table=TABLES),
    output:
        folder=directory("results/export/{format}/{model}"),
    log:
        "logs/export/{format}.{model}.log",
    benchmark:
        "results/timing/export/{format}.{model}.tsv"
    params:
        format="{format}",
        recordings=rows(),
        settings=settings_of("export"),
        code=steps.code_of("export"),
    resources:
        mem_mb=2000,
    script:
        "../scripts/step.py"
