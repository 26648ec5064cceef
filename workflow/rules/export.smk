# Labels and tables to files for other programs.


rule export:
    input:
        labels=of_recordings("results/recordings/{recording}/labels/{{model}}.parquet"),
        crops=of_recordings("results/recordings/{recording}/crops.h5"),
        quality=of_recordings("results/recordings/{recording}/quality.json"),
        results=expand("results/tables/{{model}}/{table}.parquet", table=steps.TABLES),
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
        recordings=rows(with_covariates=True),
        settings=settings_of("export"),
        code=steps.code_of("export"),
    script:
        "../scripts/step.py"
