# Tables, figures, gallery and data card as one page; also the contents of `snakemake --report`.


rule report:
    input:
        evaluate=expand(
            PLAN.path("evaluate/{model}/{benchmark}/run.json"),
            model=PLAN.models,
            benchmark=PLAN.benchmarks,
        ),
        benchmark=PLAN.external_benchmarks(),
        synthesize=PLAN.path("synthesize/run.json"),
        filter_audit=PLAN.path("filter_audit/run.json"),
        heads=PLAN.heads(),
        verdicts=PLAN.verdicts(),
    output:
        page=report(
            PLAN.path("report/index.html"),
            caption="../report/page.rst",
            category="Results",
        ),
        metrics=report(
            PLAN.path("report/metrics.json"),
            caption="../report/metrics.rst",
            category="Results",
        ),
        rows=PLAN.path("report/metrics.parquet"),
        markdown=PLAN.path("report/tables.md"),
        latex=PLAN.path("report/tables.tex"),
        run=PLAN.path("report/run.json"),
    log:
        PLAN.path("logs/report.log"),
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        PLAN.command("report")


# On request alone: a page on which people answer a sample of the items.
rule audit:
    input:
        synthesize=PLAN.path("synthesize/run.json"),
    output:
        page=PLAN.path("audit/index.html"),
        run=PLAN.path("audit/run.json"),
    log:
        PLAN.path("logs/audit.log"),
    conda:
        "../../environment.yml"
    threads: 1
    shell:
        PLAN.command("audit")
