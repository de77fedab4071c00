# From raw trajectories to a report: download -> extract -> describe -> synthesize -> base_model -> sft
# -> grpo -> evaluate -> report.
#
#   snakemake --profile local all                              conf/experiment/demo.yaml
#   snakemake --profile local all --config experiment=NAME     conf/experiment/NAME.yaml
#   snakemake --profile slurm all --config experiment=NAME 'overrides=["grpo.beta=0.0"]'
from snakemake.utils import min_version

min_version("9.19")

from tpru import pipeline, shards

PLAN = pipeline.plan(config, workflow.resource_settings.overwrite_resources)
pipeline.rerun(workflow, PLAN)


wildcard_constraints:
    source="|".join(PLAN.sources),
    fetched="|".join(PLAN.fetched) or "-",
    model="|".join(PLAN.models),
    benchmark="|".join(PLAN.benchmarks),
    seed=PLAN.seeds,
    shard=shards.SHARD,
    variant="|".join(PLAN.variants) or "-",
    phase="assignment|heads|joint",


onstart:
    pipeline.on_start(PLAN)


onsuccess:
    pipeline.on_end(PLAN, succeeded=True)


onerror:
    pipeline.on_end(PLAN, succeeded=False)


# What comes from elsewhere is fetched where there is network: by the driver. It asks the judge, too.
localrules:
    all,
    fetch,
    processor,
    base_model,
    judge,


rule all:
    input:
        PLAN.path("report/index.html"),
        PLAN.path("report/metrics.json"),
        PLAN.path("report/metrics.parquet"),
        PLAN.path("report/tables.md"),
        PLAN.path("report/tables.tex"),
        # All stages, not the last one alone: one whose run.json was deleted is made again.
        [PLAN.path(f"{unit}/run.json") for unit in PLAN.units],


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
