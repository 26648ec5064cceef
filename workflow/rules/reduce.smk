# Training crops to principal components and model-free change points.


rule reduce:
    input:
        crops=of_recordings("results/recordings/{recording}/crops.h5", TRAIN),
        quality=of_recordings("results/recordings/{recording}/quality.json", TRAIN),
    output:
        pca="results/models/pca.h5",
        changepoints="results/models/changepoints.parquet",
    log:
        "logs/reduce.log",
    benchmark:
        "results/timing/reduce/all.tsv"
    resources:
        mem_mb=4000,
    params:
        settings=settings_of("reduce"),
        seed=STUDY.seed,
        code=steps.code_of("reduce"),
    script:
        "../scripts/step.py"
