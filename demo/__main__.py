"""Runs the demo until Ctrl-C: ``make demo``."""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from demo.processes import Server
from demo.project import Demo, run_demo
from demo.studio import PASSWORD, USERNAME

ROOT = Path(__file__).resolve().parents[1]
_LOOK_S = 0.5
"""Pause between two looks at whether both servers still run."""


def main() -> int:
    """Start all, say where it is, and stop all at the end."""
    # who ends the demo in another way than by Ctrl-C, or starts it in the background, has both servers ended too
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.default_int_handler)
    home = Path(os.environ.get("PREBRUSH_TEST_STUDIO", ROOT / ".venv-studio"))
    try:
        with (
            tempfile.TemporaryDirectory(prefix="prebrush-demo-") as folder,
            run_demo(home, Path(folder), tell) as demo,
        ):
            tell(describe(demo))
            ended = wait_for_the_end([demo.studio.server, demo.prebrush])
            tell(f"{ended.url} ended by itself; the end of its log:\n{ended.log_tail(20)}")
            return 1
    except KeyboardInterrupt:
        tell("\nBoth servers are stopped, and what was in them is gone.")
        return 0


def describe(demo: Demo) -> str:
    """Say where the demo is and how to get in."""
    return f"""
Label Studio shows {len(demo.tasks)} images with the masks of prebrush:

    {demo.url}
    email     {USERNAME}
    password  {PASSWORD}

Open a task to accept or correct its masks. For clicks and boxes, switch on Auto-Annotation below the image, and take a
smart tool, at the end of the toolbar, and its label.
The playground, to try methods on a photo of yours: {demo.prebrush.url}/playground
Ctrl-C stops both servers and removes all that was made here.
"""


def wait_for_the_end(servers: list[Server]) -> Server:
    """Wait until one of the servers ends by itself, and return that one."""
    while True:
        for server in servers:
            if server.process.poll() is not None:
                return server
        time.sleep(_LOOK_S)


def tell(line: str) -> None:
    """Print a line at once, also into a file or a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
