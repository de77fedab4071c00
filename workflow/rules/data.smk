# Raw trajectories to items with splits. CPU only. A rule that asks for more threads than there are gets
# all of them; the slurm profile sets what a node has.


# Where a source or a benchmark has a `fetch` group: its data come to the cache, which all experiments share.
rule fetch:
    input:
        PLAN.url_list,
    output:
        PLAN.path("fetch/{fetched}/run.json"),
    log:
        PLAN.path("logs/fetch/{fetched}.log"),
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        PLAN.command("fetch/{fetched}")


rule download_shard:
    input:
        PLAN.fetched_source,
    output:
        PLAN.path("download/{source}/{shard}/run.json"),
    log:
        PLAN.path("logs/download/{source}-{shard}.log"),
    conda:
        "../../environment.yml"
    threads: 64
    shell:
        PLAN.command("download/{source}/{shard}")


# Makes the source, or gathers its shards where there are any.
rule download:
    input:
        PLAN.fetched_source,
        shards=PLAN.shard_files("download/{source}"),
    output:
        PLAN.path("download/{source}/run.json"),
    log:
        PLAN.path("logs/download/{source}.log"),
    conda:
        "../../environment.yml"
    threads: 64
    shell:
        PLAN.command("download/{source}", gathers=True)


rule extract_shard:
    input:
        download=PLAN.path("download/{source}/run.json"),
    output:
        PLAN.path("extract/{source}/{shard}/run.json"),
    log:
        PLAN.path("logs/extract/{source}-{shard}.log"),
    conda:
        "../../environment.yml"
    threads: 64
    shell:
        PLAN.command("extract/{source}/{shard}")


rule extract:
    input:
        download=PLAN.path("download/{source}/run.json"),
        shards=PLAN.shard_files("extract/{source}"),
    output:
        PLAN.path("extract/{source}/run.json"),
    log:
        PLAN.path("logs/extract/{source}.log"),
    conda:
        "../../environment.yml"
    threads: 64
    shell:
        PLAN.command("extract/{source}", gathers=True)


# What the key-frame filter keeps and loses where the truth is known.
rule filter_audit:
    output:
        PLAN.path("filter_audit/run.json"),
    log:
        PLAN.path("logs/filter_audit.log"),
    conda:
        "../../environment.yml"
    threads: 4
    shell:
        PLAN.command("filter_audit")


rule describe:
    input:
        extract=expand(PLAN.path("extract/{source}/run.json"), source=PLAN.sources),
    output:
        PLAN.path("describe/run.json"),
    log:
        PLAN.path("logs/describe.log"),
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        PLAN.command("describe")


rule processor:
    output:
        PLAN.path("processor/run.json"),
    log:
        PLAN.path("logs/processor.log"),
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        PLAN.command("processor")


rule synthesize:
    input:
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
    shell:
        PLAN.command("synthesize")


# Moments, boxes and masks for Task Preference Optimization; on the same side as the items of their groups.
rule grounding:
    input:
        synthesize=PLAN.path("synthesize/run.json"),
        download=expand(PLAN.path("download/{source}/run.json"), source=PLAN.simulated),
    output:
        PLAN.path("grounding/run.json"),
    log:
        PLAN.path("logs/grounding.log"),
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        PLAN.command("grounding")
