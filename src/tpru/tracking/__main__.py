"""Send by hand what is left under ``results/``, in the folder that holds it::

    python -m tpru.tracking

It prints a line for each journal, what was sent and what is left, and ends with 1 where something is.
"""

import sys
from pathlib import Path

from tpru.tracking.sending import send_everything


def main() -> int:
    """See the module's docstring."""
    done = send_everything(Path("results"))
    for folder, outcome in done.items():
        print(f"{folder}: {outcome.sent} lines sent, {outcome.left} left")
    left = sum(outcome.left for outcome in done.values())
    if not done:
        print("nothing is left to send")
    elif left:
        print(f"{left} lines are left; the same command sends them when the server is back")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
