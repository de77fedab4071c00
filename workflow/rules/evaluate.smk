# One job per model and benchmark.


rule evaluate:
    input:
        weights=PLAN.weights,
        processor=PLAN.path("processor/run.json"),
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        PLAN.path("evaluate/{model}/{benchmark}/run.json"),
    log:
        PLAN.path("logs/evaluate/{model}-{benchmark}.log"),
    conda:
        "../../environment.yml"
    threads: 8
    shell:
        PLAN.command("evaluate/{model}/{benchmark}")
