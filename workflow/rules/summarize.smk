# Labels to tables, scores where the truth is known, likelihoods of unseen animals, and exports.


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
    resources:
        mem_mb=2000,
    params:
        recordings=rows(),
        settings=settings_of("summarize"),
        seed=STUDY.seed,
        code=steps.code_of("summarize"),
    script:
        "../scripts/step.py"


rule score:
    input:
        labels=of_recordings(
            "results/recordings/{recording}/labels/{{model}}.parquet", TRUE
        ),
        truth=of_recordings("results/simulated/{recording}/truth.parquet", TRUE),
        posteriors=of_recordings(
            "results/recordings/{recording}/posterior/{{model}}.h5", TRUE
        ),
    output:
        scores="results/tables/{model}/scores.json",
    log:
        "logs/score/{model}.log",
    benchmark:
        "results/timing/score/{model}.tsv"
    resources:
        mem_mb=2000,
    params:
        recordings=rows(TRUE),
        code=steps.code_of("score"),
    script:
        "../scripts/step.py"


rule evaluate:
    input:
        crops=of_recordings("results/recordings/{recording}/crops.h5", UNSEEN),
        model=model_file,
    output:
        likelihood="results/tables/{model}/likelihood.parquet",
    log:
        "logs/evaluate/{model}.log",
    benchmark:
        "results/timing/evaluate/{model}.tsv"
    resources:
        mem_mb=2000,
    params:
        recordings=rows(UNSEEN),
        settings=settings_of("evaluate"),
        seed=STUDY.seed,
        code=steps.code_of("evaluate"),
    script:
        "../scripts/step.py"


# Only where it is asked for: syllabary run results/queries/<model>.tsv
rule suggest:
    input:
        unpack(labels_file),
        labels=of_models(
            of_recordings(
                "results/recordings/{recording}/labels/{{model}}.parquet", TRAIN
            )
        ),
        posteriors=of_recordings(
            "results/recordings/{recording}/posterior/{{model}}.h5", TRAIN
        ),
        quality=of_recordings("results/recordings/{recording}/quality.json", TRAIN),
    output:
        queries="results/queries/{model}.tsv",
    log:
        "logs/suggest/{model}.log",
    benchmark:
        "results/timing/suggest/{model}.tsv"
    resources:
        mem_mb=2000,
    params:
        recordings=rows(TRAIN),
        settings=settings_of("suggest"),
        code=steps.code_of("suggest"),
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
    resources:
        mem_mb=2000,
    params:
        format="{format}",
        recordings=rows(),
        settings=settings_of("export"),
        code=steps.code_of("export"),
    script:
        "../scripts/step.py"
