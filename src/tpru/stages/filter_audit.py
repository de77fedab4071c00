"""The key-frame filter on simulated trajectories with planted defects -> ``filter_audit.json``.

python -m tpru.stages.filter_audit experiment=demo
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict

from tpru.config.schema import ExtractConfig, FilterAuditConfig
from tpru.files import write_json
from tpru.run import Run, say, stage
from tpru.runtime import progress, threads
from tpru.trajectories.filter_audit import audit_episode, jobs, summary


@stage("filter_audit")
def main(run: Run) -> None:
    config = FilterAuditConfig(**run.config["filter_audit"])
    todo = jobs(config, ExtractConfig(**run.config["extract"]))
    with ProcessPoolExecutor(max_workers=threads()) as pool:
        found = [t for done in progress(pool.map(audit_episode, todo), "audit", len(todo)) for t in done]
    rows = summary(found)
    write_json(run.output("filter_audit.json"), [asdict(row) for row in rows])
    for row in rows:
        if row.scenario == "all":
            run.metrics[f"{row.defect}/precision"] = row.precision[0]
            run.metrics[f"{row.defect}/recall"] = row.recall[0]
            shares = (
                f"precision {row.precision[0]:6.1%} of {row.kept}, recall {row.recall[0]:6.1%} of {row.steps}"
            )
            say(f"{row.defect:15s} {shares}, {row.left} of {row.planted} planted frames left")


if __name__ == "__main__":
    main()
