"""The frozen network behind the mask head: a prompt and a picture in, a mask out.

    python -m tpru.stages.segmenter experiment=tpo

``segmenter=tiny`` is trained on the masks of the training items; SAM 2 is fetched by its pinned revision and
linked, not copied. Either is then tried on test items, given the true box in their first frame.
"""

from tpru.config.tpo_schema import SegmenterConfig
from tpru.evaluation.segmenter import score_segmenter
from tpru.files import written_whole
from tpru.grounding.mask_items import has_masks
from tpru.grounding.records import GroundingItem
from tpru.models.loading import WEIGHTS, fetch, prepare
from tpru.models.segmenter.loading import load
from tpru.models.segmenter.tiny import side_of
from tpru.randomness import generator
from tpru.run import Run, say, stage
from tpru.store import FrameStore, read_records
from tpru.training.segmenter import examples, train

# Clips that it is tried on: enough for a mean, few enough for SAM 2 on a CPU.
TRIED = 400


@stage("segmenter")
def main(run: Run) -> None:
    prepare()
    config = SegmenterConfig(**run.config["segmenter"])
    data = run.upstream("grounding")
    items = read_records(data.path("grounding.parquet"), GroundingItem)
    pictures = FrameStore([data.path("frames.parquet")])
    folder = run.output("model")
    if config.kind == "sam2":
        source = fetch(config.repo, config.revision, WEIGHTS)
        with written_whole(folder) as temporary:
            temporary.symlink_to(source.resolve())
        say(f"{config.repo} at {config.revision}")
    else:
        learned = [item for item in items if item.split == "train"]
        shown = examples(learned, pictures.image, config.side, side_of(config.side))
        say(f"{len(shown.frames)} things in {len(shown.pictures)} pictures")
        model = train(shown, config, run.seed, run.output("log.jsonl"))
        with written_whole(folder) as temporary:
            model.save_pretrained(temporary)
        run.metrics["things"] = len(shown.frames)
        run.metrics["parameters"] = model.num_parameters()
    tried = [item for item in items if item.split == "test" and has_masks(item)]
    order = generator(run.seed, "segmenter", "tried").permutation(len(tried))[:TRIED]
    scores = score_segmenter(load(folder, config), [tried[k] for k in order], pictures.image)
    run.metrics |= {"tried": len(order), **scores}
    say("J " + "  ".join(f"{name} {value:.3f}" for name, value in scores.items()))


if __name__ == "__main__":
    main()
