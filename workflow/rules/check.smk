# Crops to a verdict on the recording.


rule check:
    input:
        crops="results/recordings/{recording}/crops.h5",
    output:
        quality="results/recordings/{recording}/quality.json",
    log:
        "logs/check/{recording}.log",
    benchmark:
        "results/timing/check/{recording}.tsv"
    resources:
        mem_mb=1000,
    params:
        settings=settings_of("check"),
        code=steps.code_of("check"),
    script:
        "../scripts/step.py"
