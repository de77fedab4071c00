"""Sequences of all sources -> ``captions.parquet``.

python -m tpru.stages.describe experiment=demo
"""

from tpru.config.schema import DescribeConfig
from tpru.records import Caption
from tpru.run import Run, say, stage
from tpru.stages.inputs import all_sequences
from tpru.store import write_records
from tpru.synthesis.captions import template_captions


@stage("describe")
def main(run: Run) -> None:
    config = DescribeConfig(**run.config["describe"])
    captions = template_captions(all_sequences(run), config, run.seed)
    write_records(run.output("captions.parquet"), Caption, captions)
    run.metrics = {
        "captions": len(captions),
        "distinct_positive": len({c.positive for c in captions}),
    }
    say(f"{len(captions)} sequences described")


if __name__ == "__main__":
    main()
