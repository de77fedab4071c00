# Base model, segmenter, SFT, GRPO and the arms beside them. On a cluster the profile gives trainings their GPUs.
# {seed} is empty, or the suffix of a further seed (_seed1): each seed has trainings of its own.


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


# Only where a variant of tpo has a mask head.
rule segmenter:
    input:
        grounding=PLAN.path("grounding/run.json"),
    output:
        PLAN.path("segmenter/run.json"),
    log:
        PLAN.path("logs/segmenter.log"),
    conda:
        "../../environment.yml"
    threads: 8
    shell:
        PLAN.command("segmenter")


rule sft:
    input:
        base_model=PLAN.path("base_model/run.json"),
        processor=PLAN.path("processor/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("sft{seed}/run.json"),
    log:
        PLAN.path("logs/sft{seed}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("sft{seed}")


# Only where grpo.least_pass_rate or grpo.most_pass_rate leave items out.
rule pass_rates:
    input:
        sft=PLAN.path("sft{seed}/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("pass_rates{seed}/run.json"),
    log:
        PLAN.path("logs/pass_rates{seed}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    shell:
        PLAN.command("pass_rates{seed}")


rule grpo:
    input:
        sft=PLAN.path("sft{seed}/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
        pass_rates=PLAN.only_in_dag("pass_rates{seed}"),
    output:
        PLAN.path("grpo{seed}/run.json"),
    log:
        PLAN.path("logs/grpo{seed}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("grpo{seed}")


rule sft_continued:
    input:
        sft=PLAN.path("sft{seed}/run.json"),
        processor=PLAN.path("processor/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("sft_continued{seed}/run.json"),
    log:
        PLAN.path("logs/sft_continued{seed}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("sft_continued{seed}")


rule grpo_from_base:
    input:
        base_model=PLAN.path("base_model/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("grpo_from_base{seed}/run.json"),
    log:
        PLAN.path("logs/grpo_from_base{seed}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("grpo_from_base{seed}")


# Task Preference Optimization, phase by phase; only where tpo.variants has an entry.
rule tpo:
    input:
        before=PLAN.phase_before,
        processor=PLAN.path("processor/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
        grounding=PLAN.path("grounding/run.json"),
        segmenter=PLAN.segmenter,
    output:
        PLAN.path("tpo/{variant}/{phase}/run.json"),
    log:
        PLAN.path("logs/tpo/{variant}-{phase}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("tpo/{variant}/{phase}")


rule sft_from_tpo:
    input:
        tpo=PLAN.tpo_model(),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("sft_from_tpo{seed}/run.json"),
    log:
        PLAN.path("logs/sft_from_tpo{seed}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("sft_from_tpo{seed}")


rule grpo_from_tpo:
    input:
        sft=PLAN.path("sft_from_tpo{seed}/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("grpo_from_tpo{seed}/run.json"),
    log:
        PLAN.path("logs/grpo_from_tpo{seed}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    resources:
        nodes=1,
        gpu=0,
    shell:
        PLAN.training_command("grpo_from_tpo{seed}")


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
