# Labels to tables.


rule summarize:
    input:
        labels=of_recordings("results/recordings/{recording}/labels/{{model}}.parquet"),
        crops=of_recordings("results/recordings/{recording}/crops.h5"),
        quality=of_recordings("results/recordings/{recording}/quality.json"),
    output:
        results=expand("results/tables/{{model}}/{table}.parquet", table=steps.TABLES),
    log:
        "logs/summarize/{model}.log",
    benchmark:
        "results/timing/summarize/{model}.tsv"
    resources:
        mem_mb=2000,
    params:
        recordings=rows(with_covariates=True),
        settings=settings_of("summarize"),
        seed=STUDY.seed,
        code=steps.code_of("summarize"),
    script:
        "../scripts/step.py"
