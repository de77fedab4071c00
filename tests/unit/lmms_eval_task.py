"""Our own items as a task of lmms-eval: pictures, a YAML file, and the functions that it names.

    python -m tests.unit.lmms_eval_task results/demo FOLDER 48

With it the hand-over was proven on the real lmms-eval (docs/lmms-eval.md); a test writes it, too.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tpru.records import Item
from tpru.store import FrameStore, read_records

TASK = "tpru_items"
YAML = """task: {task}
dataset_path: parquet
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: generate_until
doc_to_messages: !function utils.doc_to_messages
doc_to_visual: !function utils.doc_to_visual
doc_to_text: !function utils.doc_to_text
doc_to_target: answer
process_results: !function utils.process_results
# Our own rule: a letter outside the tags is no answer.
reasoning_tags: [["<think>", "</think>"]]
generation_kwargs:
  max_new_tokens: 112
  temperature: 0
metric_list:
  - metric: accuracy
    aggregation: mean
    higher_is_better: true
"""
UTILS = '''
import io
import re

from PIL import Image

ANSWER = re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.DOTALL)


def doc_to_visual(doc):
    return [Image.open(io.BytesIO(data)).convert("RGB") for data in doc["pictures"]]


def doc_to_text(doc):
    return "".join(doc["texts"])


def doc_to_messages(doc):
    """Texts and pictures in turn, as our own prompt has them: an empty text stands for a picture."""
    pictures = iter(doc_to_visual(doc))
    content = [
        {"type": "text", "text": text} if text else {"type": "image", "url": next(pictures)}
        for text in doc["texts"]
    ]
    return [{"role": "user", "content": content}]


def process_results(doc, results):
    said = ANSWER.findall(results[0])
    return {"accuracy": float(bool(said) and said[-1].strip() == doc["answer"])}
'''


def write_task(folder: Path, items: Sequence[Item], frames: FrameStore) -> None:
    """Write a folder for ``lmms_eval.include_path``."""
    folder.mkdir(parents=True)
    rows = [
        {
            "item_id": item.item_id,
            "texts": ["" if block.type == "image" else block.value for block in item.prompt],
            "pictures": [frames.encoded(name) for name in item.shown],
            "answer": item.answer,
        }
        for item in items
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "items.parquet")
    yaml = YAML.format(task=TASK, data=(folder / "items.parquet").absolute())
    (folder / f"{TASK}.yaml").write_text(yaml, encoding="utf-8")
    (folder / "utils.py").write_text(UTILS.lstrip(), encoding="utf-8")


def main() -> None:
    """Take some test items of an experiment, evenly from all."""
    results, folder, number = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    synthesized = results / "synthesize"
    items = [item for item in read_records(synthesized / "items.parquet", Item) if item.split == "test"]
    write_task(folder, items[:: len(items) // number][:number], FrameStore([synthesized / "frames.parquet"]))


if __name__ == "__main__":
    main()
