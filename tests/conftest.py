"""What every test may use: versions in the header, drawn images, folders of data, a local web server."""

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from servers import FileServer

# its compiler tells every step
logging.getLogger("numba").setLevel(logging.WARNING)

ROOT = Path(__file__).resolve().parents[1]
RECORDED = Path(__file__).parent / "recorded"
TOOL = Path(os.environ.get("PREBRUSH_TEST_TOOL", ROOT / ".venv-face")) / "bin"
"""Where `label-studio-ml` is installed, with the extra of that name."""
TOOL_RUNS = sys.version_info < (3, 14)
"""Whether label-studio-ml 1.0.9 does: it pins a Werkzeug that newer Pythons break."""

SECRET_MARKS = ("hush-", "S3CRET", "correct-horse", "1b7c49d2e8f04c6d", "c2lnbmF0dXJl")
"""What every token and password in these tests holds; a new one holds `hush-`. The last ends a made-up token."""


def pytest_sessionstart() -> None:
    """In CI every part is there, so that nothing is skipped unseen; the run with the lowest versions says so itself."""
    if os.environ.get("CI") != "true" or os.environ.get("PREBRUSH_TEST_LOWEST"):
        return
    missing = [name for name in ("redis-server", "chromium", "haproxy") if shutil.which(name) is None]
    missing += [
        name
        for name in (
            "label_studio_sdk",
            "rq",
            "playwright",
            "axe_playwright_python",
            "kubernetes_validate",
            "check_jsonschema",
        )
        if find_spec(name) is None
    ]
    if TOOL_RUNS and not (TOOL / "label-studio-ml").exists():
        missing.append("label-studio-ml")
    if missing:
        pytest.exit(f"missing in CI: {', '.join(missing)}", returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[pytest.TestReport]:
    """Fail a test during which a secret was printed or logged, whatever it is a test of."""
    report = yield
    written = "".join(text for title, text in report.sections if title.endswith(f" {report.when}"))
    told = [mark for mark in SECRET_MARKS if mark in written]
    if told and report.passed:
        report.outcome = "failed"
        report.longrepr = f"a secret was printed or logged: {', '.join(told)}; see the captured output"
    return report


def pytest_report_header() -> str:
    names = ("numpy", "opencv-python-headless", "scikit-image", "numba", "pillow", "redis", "flask")
    server = "redis-server found" if shutil.which("redis-server") else "no redis-server"
    return "prebrush on " + ", ".join(f"{name} {version(name)}" for name in names) + f"; {server}"


@pytest.fixture
def recorded() -> Callable[[str], dict]:
    """Read one recorded request of a real Label Studio."""
    import json

    return lambda name: json.loads((RECORDED / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images with ground truth; the test is skipped where it is not there."""
    folder = Path(os.environ.get("PREBRUSH_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "manifest.json").is_file():
        pytest.skip("no shared images beside this clone")
    return folder


@pytest.fixture
def file_server(tmp_path: Path) -> Iterator[FileServer]:
    folder = tmp_path / "served"
    folder.mkdir()
    server = FileServer(folder)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def warm() -> None:
    """What the first prediction compiles or loads is not held against any time limit."""
    import numpy as np

    from prebrush import segment

    scene = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    segment(scene)
    for n_clusters in (2, 4):
        segment(scene, method="kmeans", n_clusters=n_clusters)
