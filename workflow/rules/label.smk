# A posterior, and which states are one syllable, to labels.


rule label:
    input:
        unpack(by_hand),
        posterior="results/recordings/{recording}/posterior/{model}.h5",
        model=model_file,
    output:
        labels="results/recordings/{recording}/labels/{model}.parquet",
    log:
        "logs/label/{recording}.{model}.log",
    benchmark:
        "results/timing/label/{recording}.{model}.tsv"
    resources:
        mem_mb=1500,
    params:
        code=steps.code_of("label"),
    script:
        "../scripts/step.py"
