# Base model, SFT, GRPO and the arms beside them. On a cluster the profile gives trainings their GPUs.


rule base_model:
    output:
        PLAN.path("base_model/run.json"),
    log:
        PLAN.path("logs/base_model.log"),
    conda:
        "../../environment.yml"
    threads: 8
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
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("sft")


# Only where grpo.least_pass_rate or grpo.most_pass_rate leave items out.
rule pass_rates:
    input:
        sft=PLAN.path("sft/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("pass_rates/run.json"),
    log:
        PLAN.path("logs/pass_rates.log"),
    conda:
        "../../environment.yml"
    threads: 8
    shell:
        PLAN.command("pass_rates")


rule grpo:
    input:
        sft=PLAN.path("sft/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
        pass_rates=PLAN.only_in_dag("pass_rates"),
    output:
        PLAN.path("grpo/run.json"),
    log:
        PLAN.path("logs/grpo.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("grpo")


rule sft_continued:
    input:
        sft=PLAN.path("sft/run.json"),
        processor=PLAN.path("processor/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("sft_continued/run.json"),
    log:
        PLAN.path("logs/sft_continued.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("sft_continued")


rule grpo_from_base:
    input:
        base_model=PLAN.path("base_model/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("grpo_from_base/run.json"),
    log:
        PLAN.path("logs/grpo_from_base.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("grpo_from_base")


# On request alone: the weights that ship with the package, from nothing.
rule tiny_base:
    output:
        PLAN.path("tiny_base/run.json"),
    log:
        PLAN.path("logs/tiny_base.log"),
    conda:
        "../../environment.yml"
    threads: 64
    shell:
        PLAN.command("tiny_base")
