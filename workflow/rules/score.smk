# Labels of simulated recordings and their known syllables to scores.


rule score:
    input:
        labels=of_recordings(
            "results/recordings/{recording}/labels/{{model}}.parquet", TRUE
        ),
        truth=of_recordings("results/simulated/{recording}/truth.parquet", TRUE),
        posteriors=of_recordings(
            "results/recordings/{recording}/posterior/{{model}}.h5", TRUE
        ),
        quality=of_recordings("results/recordings/{recording}/quality.json", TRUE),
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
