"""Sequences of all sources -> ``captions.parquet``.

    python -m tpru.stages.describe experiment=demo
    python -m tpru.stages.describe experiment=demo describe=endpoint

The second asks a vision-language model (docs/real-captions.md). It may leave sequences out:
``judgements.parquet`` says which and why, and later stages use the described ones alone.
"""

from tpru.config.schema import DescribeConfig, EndpointConfig
from tpru.models.endpoint import CACHE, Endpoint, Settings
from tpru.records import Caption, Sequence
from tpru.run import Run, say, stage
from tpru.stages.inputs import all_sequences, source_frames
from tpru.store import write_records
from tpru.synthesis.captions import template_captions
from tpru.synthesis.endpoint_captions import Judgement, check_some_kept, endpoint_captions


@stage("describe")
def main(run: Run) -> None:
    config = DescribeConfig(**run.config["describe"])
    sequences = all_sequences(run)
    if config.captioner == "endpoint" and config.endpoint is not None:
        captions = ask_endpoint(run, config.endpoint, sequences)
    else:
        captions = template_captions(sequences, config, run.seed)
    write_records(run.output("captions.parquet"), Caption, captions)
    run.metrics |= {
        "captions": len(captions),
        "distinct_positive": len({c.positive for c in captions}),
    }
    say(f"{len(captions)} of {len(sequences)} sequences described")


def ask_endpoint(run: Run, config: EndpointConfig, sequences: list[Sequence]) -> list[Caption]:
    """Captions by a vision-language model, its judgements beside them, counts and costs recorded."""
    settings = Settings(config.model, config.temperature, config.max_tokens)
    endpoint = Endpoint(settings, CACHE, config.retries, config.timeout_s)
    made = endpoint_captions(sequences, config, run.seed, source_frames(run), endpoint)
    write_records(run.output("judgements.parquet"), Judgement, made.judgements)
    check_some_kept(made)
    usage = endpoint.usage
    run.counts = {"judged": made.outcomes()}
    run.metrics = {
        **made.order_metrics(),
        "endpoint_requests": usage.requests,
        "endpoint_cached": usage.cached,
        "endpoint_tokens": usage.tokens,
    }
    say(f"{config.model}: {made.outcomes()}; {usage.requests} new answers, {usage.cached} from the cache")
    return list(made.captions)


if __name__ == "__main__":
    main()
