# A model and held-out recordings to log likelihoods.


rule evaluate:
    input:
        crops=of_recordings("results/recordings/{recording}/crops.h5", UNSEEN),
        quality=of_recordings("results/recordings/{recording}/quality.json", UNSEEN),
        model=model_file,
    output:
        likelihood="results/tables/{model}/likelihood.parquet",
    log:
        "logs/evaluate/{model}.log",
    benchmark:
        "results/timing/evaluate/{model}.tsv"
    resources:
        mem_mb=2000,
        gpu=GPUS,
    params:
        recordings=rows(UNSEEN),
        settings=settings_of("evaluate"),
        seed=STUDY.seed,
        code=steps.code_of("evaluate"),
    script:
        "../scripts/step.py"
