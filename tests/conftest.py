"""What every test may use: versions in the header, drawn images, folders of data, a local web server."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECORDED = Path(__file__).parent / "recorded"


def pytest_sessionstart() -> None:
    """In CI every part is there, so that nothing is skipped unseen; the run with the lowest versions says so itself."""
    if os.environ.get("CI") != "true" or os.environ.get("PREBRUSH_TEST_LOWEST"):
        return
    missing = [name for name in ("redis-server", "chromium", "haproxy") if shutil.which(name) is None]
    missing += [
        name
        for name in ("label_studio_sdk", "playwright", "kubernetes_validate", "check_jsonschema")
        if find_spec(name) is None
    ]
    if missing:
        pytest.exit(f"missing in CI: {', '.join(missing)}", returncode=1)


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


class _Handler(SimpleHTTPRequestHandler):
    """Serves files and counts what was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


class FileServer:
    """A web server on loopback over one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        handler = type("Handler", (_Handler,), {"asked": self.asked})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def file_server(tmp_path: Path) -> Iterator[FileServer]:
    folder = tmp_path / "served"
    folder.mkdir()
    server = FileServer(folder)
    yield server
    server.stop()
