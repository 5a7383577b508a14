"""The demo, as its one command runs it: it says where it is, its tasks show masks, and Ctrl-C ends it."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser

from demo.processes import Server, wait_for
from demo.studio import PASSWORD, USERNAME, Studio
from end_to_end.browser import Annotator, open_page

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def run_demo(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run what ``make demo`` runs, with its output in a file."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo"], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(60)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def test_the_demo_shows_masks_and_ends(browser: Browser, tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    with run_demo(log) as process:

        def told() -> re.Match[str] | None:
            assert process.poll() is None, log.read_text()
            return re.search(r"(http://\S+)/projects/(\d+)/data\n", log.read_text())

        found = wait_for(told, "the demo's address", 360)
        text = log.read_text()
        assert USERNAME in text
        assert PASSWORD in text
        studio = Studio(Server(found[1], log, process))
        studio.log_in()
        project = int(found[2])

        predictions = studio.predictions(project)
        tasks = {each["task"]: each for each in predictions}
        assert len(tasks) == len(predictions) == int(re.search(r"shows (\d+) images", text)[1])
        assert all(each["result"] for each in predictions)
        (connection,) = studio.call("GET", "/api/ml/", project=project)
        assert connection["is_interactive"]

        # gray, so that color is mask; it was uploaded first
        annotator = Annotator(open_page(browser), studio)
        annotator.log_in()
        annotator.open_task(project, min(tasks))
        wait_for(lambda: annotator.look().painted().mean() > 0.05, "a mask on the screen")
        annotator.page.close()

        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, log.read_text()
    assert not answers(f"{found[1]}/health")
    assert not answers(f"{connection['url']}/health")
    assert "Traceback" not in log.read_text()
