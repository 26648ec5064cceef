# Raw depth video to upright crops.


rule extract:
    input:
        unpack(flips_file),
        raw=raw_files,
    output:
        crops="results/recordings/{recording}/crops.h5",
        preview="results/recordings/{recording}/preview.mp4",
    log:
        "logs/extract/{recording}.log",
    benchmark:
        "results/timing/extract/{recording}.tsv"
    # Raw video is large: extract what there is before more is simulated.
    priority: 10
    resources:
        mem_mb=1500,
    params:
        source=source_of,
        recording="{recording}",
        settings=extract_settings,
        unlisted=raw_with_braces,
        code=steps.code_of("extract"),
    message:
        "extract {wildcards.recording} from {params.source}"
    script:
        "../scripts/step.py"
