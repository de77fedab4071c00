# External benchmarks to items, and one job per model and benchmark.


# CPU only. Where the files of a benchmark are is part of its configuration.
rule benchmark:
    input:
        PLAN.fetched_benchmark,
        processor=PLAN.path("processor/run.json"),
    output:
        PLAN.path("benchmark/{benchmark}/run.json"),
    log:
        PLAN.path("logs/benchmark/{benchmark}.log"),
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        PLAN.command("benchmark/{benchmark}")


rule evaluate:
    input:
        weights=PLAN.weights,
        processor=PLAN.path("processor/run.json"),
        benchmark=PLAN.benchmark,
    output:
        PLAN.path("evaluate/{model}/{benchmark}/run.json"),
    log:
        PLAN.path("logs/evaluate/{model}-{benchmark}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    shell:
        PLAN.command("evaluate/{model}/{benchmark}")


# Dense questions, to a trained variant of TPO.
rule evaluate_heads:
    input:
        tpo=PLAN.path("tpo/{variant}/joint/run.json"),
        grounding=PLAN.path("grounding/run.json"),
        segmenter=PLAN.segmenter,
    output:
        PLAN.path("evaluate_heads/{variant}/run.json"),
    log:
        PLAN.path("logs/evaluate_heads/{variant}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    shell:
        PLAN.command("evaluate_heads/{variant}")


# On request alone: general suites by lmms-eval, which has an environment of its own (docs/lmms-eval.md).
rule lmms_eval:
    input:
        weights=PLAN.exported(),
        processor=PLAN.path("processor/run.json"),
    output:
        PLAN.path("lmms_eval/run.json"),
    log:
        PLAN.path("logs/lmms_eval.log"),
    conda:
        "../../environment.yml"
    threads: 8
    shell:
        PLAN.command("lmms_eval")


# On request alone: a text model behind an endpoint says what the reasonings conclude (docs/endpoint-models.md).
rule judge:
    input:
        PLAN.judged(),
    output:
        PLAN.path("judge/run.json"),
    log:
        PLAN.path("logs/judge.log"),
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        PLAN.command("judge")
