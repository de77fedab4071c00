# Raw trajectories to items with splits. CPU only.


rule download:
    input:
        config=PLAN.path("download/{source}/config.yaml"),
    output:
        PLAN.path("download/{source}/run.json"),
    log:
        PLAN.path("logs/download/{source}.log"),
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=240,
    shell:
        PLAN.command("download")


rule extract:
    input:
        config=PLAN.path("extract/{source}/config.yaml"),
        download=PLAN.path("download/{source}/run.json"),
    output:
        PLAN.path("extract/{source}/run.json"),
    log:
        PLAN.path("logs/extract/{source}.log"),
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=8000,
        runtime=240,
    shell:
        PLAN.command("extract")


rule describe:
    input:
        config=PLAN.path("describe/config.yaml"),
        extract=expand(PLAN.path("extract/{source}/run.json"), source=PLAN.sources),
    output:
        PLAN.path("describe/run.json"),
    log:
        PLAN.path("logs/describe.log"),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        PLAN.command("describe")


rule processor:
    input:
        config=PLAN.path("processor/config.yaml"),
        describe=PLAN.path("describe/run.json"),
    output:
        PLAN.path("processor/run.json"),
    log:
        PLAN.path("logs/processor.log"),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        PLAN.command("processor")


rule synthesize:
    input:
        config=PLAN.path("synthesize/config.yaml"),
        describe=PLAN.path("describe/run.json"),
        processor=PLAN.path("processor/run.json"),
        extract=expand(PLAN.path("extract/{source}/run.json"), source=PLAN.sources),
    output:
        PLAN.path("synthesize/run.json"),
    log:
        PLAN.path("logs/synthesize.log"),
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=16000,
        runtime=240,
    shell:
        PLAN.command("synthesize")
