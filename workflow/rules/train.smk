# Base model, SFT and GRPO. On a cluster the profile gives sft and grpo their GPUs.


rule base_model:
    input:
        processor=PLAN.path("processor/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("base_model/run.json"),
    log:
        PLAN.path("logs/base_model.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        leaves=PLAN.leaves("base_model"),
    shell:
        PLAN.command("base_model")


rule sft:
    input:
        base_model=PLAN.path("base_model/run.json"),
        processor=PLAN.path("processor/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("sft/run.json"),
    log:
        PLAN.path("logs/sft.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        mem_mb=16000,
        runtime=1440,
    params:
        leaves=PLAN.leaves("sft"),
    shell:
        PLAN.command("sft")


rule grpo:
    input:
        sft=PLAN.path("sft/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("grpo/run.json"),
    log:
        PLAN.path("logs/grpo.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        mem_mb=16000,
        runtime=2880,
    params:
        leaves=PLAN.leaves("grpo"),
    shell:
        PLAN.command("grpo")
