"""All task families of the embedded simulators, listed, with an episode of each as pictures.

python -m tpru.simulators.catalogue [--size 112] [--seed 0] [--out results/worlds.html]
"""

import argparse
import base64
import html
from importlib import import_module
from pathlib import Path
from typing import Any

from PIL import Image

from tpru.files import write_text
from tpru.records import SCENARIOS
from tpru.runtime import progress
from tpru.simulators.episode import Episode
from tpru.store import encode_png

HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>tpru: the embedded worlds</title>
<style>body{font:15px/1.4 sans-serif;margin:2rem;max-width:1500px}h3{margin:1.2rem 0 .2rem}
figure{display:inline-block;margin:0 4px 8px 0;width:112px;vertical-align:top}img{width:112px;display:block}
figcaption{font-size:11px;color:#555}.other img{outline:2px solid #c33;outline-offset:-2px}
p{margin:.1rem 0 .4rem}
</style><h1>The embedded worlds</h1>
<p>One episode of every family: its frames in time order, then (red) what one would have seen had something
else been done. Families of level 3 are never trained on; they are shown in their unseen environments.</p>
"""


def families() -> list[tuple[str, str, bool]]:
    """(scenario, family, whether training may see it) of every family."""
    out: list[tuple[str, str, bool]] = []
    for scenario in SCENARIOS:
        simulator: Any = import_module(f"tpru.simulators.{scenario}")
        out += [(scenario, f, True) for f in simulator.SEEN]
        out += [(scenario, f, False) for f in simulator.UNSEEN]
    return out


def _figure(image: Image.Image, text: str, other: bool = False) -> str:
    data = base64.b64encode(encode_png(image)).decode("ascii")
    kind = ' class="other"' if other else ""
    caption = f"<figcaption>{html.escape(text)}</figcaption>"
    return f'<figure{kind}><img src="data:image/png;base64,{data}" alt="">{caption}</figure>'


def _section(scenario: str, family: str, seen: bool, episode: Episode) -> str:
    level = "training, levels 1 and 2" if seen else "level 3"
    figures = [_figure(f, s) for f, s in zip(episode.frames, episode.steps, strict=True)]
    figures += [_figure(a.frame, a.step, other=True) for a in episode.alternatives]
    title = f"{scenario}: {family.replace('_', ' ')} ({level})"
    return f"<h3>{html.escape(title)}</h3><p>{html.escape(episode.goal)}</p>{''.join(figures)}\n"


def main() -> None:
    """Print the list and write the page."""
    parser = argparse.ArgumentParser(description="List all task families, with pictures.")
    parser.add_argument("--size", type=int, default=112, help="pixels of a side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/worlds.html"))
    arguments = parser.parse_args()
    listed = families()
    sections = []
    for scenario, family, seen in progress(listed, "simulate", len(listed)):
        simulator: Any = import_module(f"tpru.simulators.{scenario}")
        look = "seen" if seen else "unseen"
        episode = simulator.episode(arguments.seed, arguments.size, family, look)
        sections.append(_section(scenario, family, seen, episode))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(arguments.out, HEAD + "".join(sections))
    for scenario, family, seen in listed:
        print(f"{scenario:11s} {family:18s} {'seen' if seen else 'level 3'}")
    print(f"{len(listed)} families; open {arguments.out}")


if __name__ == "__main__":
    main()
