"""``python -m tpru.reporting.published [FILE]``: the published figures as Markdown."""

import sys
from pathlib import Path

from tpru.files import write_text
from tpru.reporting.published.tables import document

if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_text(Path(sys.argv[1]), document())
    else:
        print(document(), end="")
