"""Several workers on one machine, each a process of its own; one that dies is replaced."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

PAUSE_S = 1.0
"""Before a worker that died is replaced."""


def run_processes(processes: int, config: Path | None, *, burst: bool) -> int:
    """Run workers until told to stop, or until all have ended by themselves; return the worst exit status."""
    command = [sys.executable, "-m", "prebrush", "worker"]
    command += ["--config", str(config)] if config else []
    command += ["--burst"] if burst else []
    workers = [subprocess.Popen(command) for _ in range(processes)]  # noqa: S603  our own command
    stopping = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for worker in workers:
            worker.send_signal(number)

    signal.signal(signal.SIGTERM, stop)
    # from a terminal, Ctrl-C reaches the workers by itself
    signal.signal(signal.SIGINT, lambda *_: None)
    worst = 0
    while workers:
        time.sleep(PAUSE_S)
        for place, worker in reversed(list(enumerate(workers))):
            status = worker.poll()
            if status is None:
                continue
            del workers[place]
            if status < 0 and not stopping:
                sys.stderr.write(f"prebrush: a worker died of signal {-status}; another takes its place\n")
                workers.append(subprocess.Popen(command))  # noqa: S603  our own command
            else:
                worst = max(worst, status)
    return worst
