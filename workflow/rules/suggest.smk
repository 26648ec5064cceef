# Labels to clips that a person should label next.


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
