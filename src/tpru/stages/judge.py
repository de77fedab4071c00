"""A text model reads what reasonings conclude -> ``verdicts.parquet``, and ``judge.json`` with the rates.

    export TPRU_ENDPOINT_URL=http://localhost:8000/v1
    python -m tpru.stages.judge experiment=demo judge.model=NAME

It runs when it is asked for, or when the page is to show it (docs/endpoint-models.md).
"""

from collections import Counter
from dataclasses import asdict

from tpru.config.schema import JudgeConfig
from tpru.errors import EmptySourceError
from tpru.evaluation.consistency import ConsistencyRow, consistency_rows
from tpru.evaluation.judge import (
    Agreement,
    Judged,
    Judgement,
    agreement,
    judge_answers,
    judge_rows,
    prompt_text,
)
from tpru.files import write_json
from tpru.models.endpoint import CACHE, Endpoint, Settings
from tpru.records import Item, Prediction
from tpru.run import Run, say, stage
from tpru.stages.inputs import benchmark_items
from tpru.store import read_records, write_records
from tpru.training.data import choose_items


@stage("judge")
def main(run: Run) -> None:
    config = JudgeConfig(**run.config["judge"])
    items, answers = drawn(run, config)
    endpoint = Endpoint(
        Settings(config.model, config.temperature, config.max_tokens),
        CACHE / "judge",
        config.retries,
        config.timeout_s,
        name="judge",
        keys="judge",
    )
    asked = [(item, by_item[item.item_id]) for by_item in answers.values() for item in items]
    judged = judge_answers(endpoint, asked, config.concurrency)
    write_records(run.output("verdicts.parquet"), Judged, judged)
    rows, rules, agreements = [], [], []
    for model, by_item in answers.items():
        rows += judge_rows(items, judged, model, config.benchmark)
        rules += consistency_rows(items, list(by_item.values()), model, config.benchmark)
        agreements.append(agreement(judged, model, config.benchmark))
    found = Judgement(
        config.model,
        config.benchmark,
        len(items),
        prompt_text(),
        tuple(rows),
        tuple(rules),
        tuple(agreements),
    )
    write_json(run.output("judge.json"), asdict(found))
    run.counts = {"outcomes": dict(sorted(Counter(j.outcome for j in judged).items()))}
    run.metrics = {**metrics(rows, agreements), **usage(endpoint)}
    for line in table(rows, rules, agreements):
        say(line)


def drawn(run: Run, config: JudgeConfig) -> tuple[list[Item], dict[str, dict[str, Prediction]]]:
    """The items that are judged, and by model the answers to them, by item id.

    Raises:
        EmptySourceError: the models have no item in common.
        UpstreamError: a model was not asked.
    """
    answers = {}
    for model in config.models:
        path = run.upstream(f"evaluate/{model}/{config.benchmark}").path("predictions.parquet")
        answers[model] = {p.item_id: p for p in read_records(path, Prediction)}
    items = [
        item
        for item in benchmark_items(run, config.benchmark, run.config["kind"])
        if all(item.item_id in by_item for by_item in answers.values())
    ]
    if not items:
        raise EmptySourceError(f"{list(config.models)} answered no item of {config.benchmark}")
    return choose_items(items, config.items, run.seed), answers


def metrics(rows: list[ConsistencyRow], agreements: list[Agreement]) -> dict[str, float]:
    """What MLflow is told of every model; a figure that is not known is left out."""
    out: dict[str, float] = {
        f"{r.model}/consistency": r.rate for r in rows if r.answers == "all" and r.decided
    }
    for found in agreements:
        out |= {f"{found.model}/unreadable": found.unreadable, f"{found.model}/judged": found.n}
        if found.n:
            out[f"{found.model}/agreement"] = found.share
        if found.kappa is not None:
            out[f"{found.model}/kappa"] = found.kappa
    return out


def usage(endpoint: Endpoint) -> dict[str, float]:
    """What the replies cost."""
    return {
        "endpoint_requests": endpoint.usage.requests,
        "endpoint_cached": endpoint.usage.cached,
        "endpoint_tokens": endpoint.usage.tokens,
    }


def table(rows: list[ConsistencyRow], rules: list[ConsistencyRow], agreements: list[Agreement]) -> list[str]:
    """One line for each model: how many answers follow by judge and by rules, and how these agree."""
    by_judge, by_rules = ({r.model: r for r in of if r.answers == "all"} for of in (rows, rules))
    lines = [f"{'model':16s} {'by the judge':32s} {'by the rules':32s} {'same verdict':20s} kappa unreadable"]
    for found in agreements:
        kappa = "-" if found.kappa is None else f"{found.kappa:.2f}"
        same = f"{found.share:.1%} of {found.n}"
        cells = f"{cell(by_judge[found.model]):32s} {cell(by_rules[found.model]):32s} {same:20s}"
        lines.append(f"{found.model:16s} {cells} {kappa:>5s} {found.unreadable}")
    return lines


def cell(row: ConsistencyRow) -> str:
    """A rate with its interval, and how many of the answers could be judged."""
    if not row.decided:
        return f"0 of {row.n} can be judged"
    return f"{row.rate:.1%} [{row.low:.1%}, {row.high:.1%}] of {row.decided}/{row.n}"


if __name__ == "__main__":
    main()
