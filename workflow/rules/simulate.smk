# Settings to raw depth video of a mouse whose syllables are known.


rule simulate:
    output:
        depth=temp("results/simulated/{recording}/depth.dat"),
        timestamps=temp("results/simulated/{recording}/depth_ts.txt"),
        metadata=temp("results/simulated/{recording}/metadata.json"),
        truth="results/simulated/{recording}/truth.parquet",
    log:
        "logs/simulate/{recording}.log",
    benchmark:
        "results/timing/simulate/{recording}.tsv"
    wildcard_constraints:
        recording="|".join(map(re.escape, TRUE)) or "(?!)",
    resources:
        mem_mb=1000,
    params:
        recording="{recording}",
        subject=lambda wildcards: RECORDINGS.subject[wildcards.recording],
        group=lambda wildcards: RECORDINGS.group[wildcards.recording],
        settings=settings_of("simulate"),
        seed=STUDY.seed,
        code=steps.code_of("simulate"),
    script:
        "../scripts/step.py"
