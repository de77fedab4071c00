#!/usr/bin/env python3
"""State of one SLURM job for Snakemake: prints success, failed or running.

scontrol knows jobs that are queued, running or just ended; sacct (where accounting is on) knows the old
ones. A job that neither knows for several tries is running: better to wait than to start a second copy.
"""

import re
import subprocess
import sys
import time

RUNNING = {
    "PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "REQUEUED", "REQUEUE_FED",
    "REQUEUE_HOLD", "RESV_DEL_HOLD", "RESIZING", "SIGNALING", "SPECIAL_EXIT", "STAGE_OUT", "STOPPED",
    "PREEMPTED_REQUEUE",
}  # fmt: skip
TRIES = 3


def ask(*command: str) -> str:
    """Output of a command, empty when it fails or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def state(job: str) -> str:
    """Name of the state, empty when nobody knows the job."""
    for attempt in range(TRIES):
        found = re.search(r"JobState=(\w+)", ask("scontrol", "-o", "show", "job", job))
        if found:
            return found.group(1)
        lines = ask("sacct", "-XnP", "-j", job, "-o", "state").split("\n")
        if lines[0].strip():
            return lines[0].split()[0]
        if attempt + 1 < TRIES:
            time.sleep(2)
    return ""


if __name__ == "__main__":
    name = state(sys.argv[1])
    if name == "COMPLETED":
        print("success")
    elif not name or name in RUNNING:
        print("running")
    else:
        print("failed")
