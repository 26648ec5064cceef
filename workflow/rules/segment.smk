# Crops and a model to a posterior, the same way for training and new recordings.


rule segment:
    input:
        crops="results/recordings/{recording}/crops.h5",
        model=model_file,
    output:
        posterior="results/recordings/{recording}/posterior/{model}.h5",
    log:
        "logs/segment/{recording}.{model}.log",
    benchmark:
        "results/timing/segment/{recording}.{model}.tsv"
    resources:
        mem_mb=2000,
        gpu=GPUS,
    params:
        code=steps.code_of("segment"),
    script:
        "../scripts/step.py"
