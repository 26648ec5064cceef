# All results to figures, crowd movies and one report that opens from a file.


rule draw:
    input:
        crops=of_recordings("results/recordings/{recording}/crops.h5"),
        previews=of_recordings("results/recordings/{recording}/preview.mp4"),
        quality=of_recordings("results/recordings/{recording}/quality.json"),
        pca="results/models/pca.h5",
        changepoints="results/models/changepoints.parquet",
        labels=of_models(
            of_recordings("results/recordings/{recording}/labels/{{model}}.parquet")
        ),
        posteriors=of_models(
            of_recordings("results/recordings/{recording}/posterior/{{model}}.h5")
        ),
        results=of_models(
            expand("results/tables/{{model}}/{table}.parquet", table=TABLES)
        ),
        histories=of_models(["results/models/{model}/history.parquet"], FITTED),
        clips=of_models(["results/models/{model}/clips.h5"], FITTED),
        truth=of_recordings("results/simulated/{recording}/truth.parquet", TRUE),
        likelihoods=of_models(["results/tables/{model}/likelihood.parquet"]),
        scores=of_models(["results/tables/{model}/scores.json"] if TRUE else []),
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
        recordings=rows(),
        settings=settings_of("draw"),
        seed=STUDY.seed,
        code=steps.code_of("draw"),
    script:
        "../scripts/step.py"
