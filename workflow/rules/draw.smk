# All results to figures, crowd movies and one report that opens from a file.


rule draw:
    input:
        results=[
            *of_recordings("results/recordings/{recording}/crops.h5"),
            *of_recordings("results/recordings/{recording}/preview.mp4"),
            *of_recordings("results/recordings/{recording}/quality.json"),
            *of_recordings("results/simulated/{recording}/truth.parquet", TRUE),
            "results/models/pca.h5",
            "results/models/changepoints.parquet",
            *of_models(
                of_recordings(
                    "results/recordings/{recording}/labels/{{model}}.parquet"
                )
            ),
            *of_models(
                of_recordings("results/recordings/{recording}/posterior/{{model}}.h5")
            ),
            *of_models(
                expand("results/tables/{{model}}/{table}.parquet", table=steps.TABLES)
            ),
            *of_models(["results/tables/{model}/likelihood.parquet"]),
            *of_models(["results/tables/{model}/scores.json"] if TRUE else []),
            *of_models(["results/models/{model}/model.safetensors"], FITTED),
            *of_models(["results/models/{model}/history.parquet"], FITTED),
            *of_models(["results/models/{model}/clips.h5"], FITTED),
        ],
    output:
        figures=directory("results/figures"),
        report=report(
            "results/report/index.html",
            caption="../report/report.rst",
            category="Results",
        ),
        pages=directory("results/report/recordings"),
    log:
        "logs/draw.log",
    benchmark:
        "results/timing/draw/all.tsv"
    resources:
        mem_mb=3000,
    params:
        models=MODELS,
        recordings=rows(with_covariates=True),
        settings=settings_of("draw"),
        seed=STUDY.seed,
        code=steps.code_of("draw"),
    script:
        "../scripts/step.py"
