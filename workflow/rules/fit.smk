# Training crops to a model.


rule fit:
    input:
        unpack(labels_file),
        crops=of_recordings("results/recordings/{recording}/crops.h5", TRAIN),
        quality=of_recordings("results/recordings/{recording}/quality.json", TRAIN),
        pca="results/models/pca.h5",
        changepoints="results/models/changepoints.parquet",
    output:
        model="results/models/{model}/model.safetensors",
        settings_used="results/models/{model}/settings.json",
        history="results/models/{model}/history.parquet",
        clips="results/models/{model}/clips.h5",
    log:
        "logs/fit/{model}.log",
    benchmark:
        "results/timing/fit/{model}.tsv"
    resources:
        mem_mb=4000,
        gpu=GPUS,
    params:
        folder="results/models/{model}",
        recordings=subjects(TRAIN),
        settings=lambda wildcards: FITS[wildcards.model].settings.model_dump(
            mode="json"
        ),
        seed=lambda wildcards: FITS[wildcards.model].seed,
        code=steps.code_of("fit"),
    script:
        "../scripts/step.py"
