"""`prebrush prelabel` on a real Label Studio: killed, cut off, resumed, and the same as the connected server."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import urllib3

from demo.processes import wait_for
from demo.studio import Studio
from end_to_end.conftest import LABEL_CONFIG
from end_to_end.connected import Connected
from end_to_end.pictures import ordinary_pictures

TASKS = 400


def command(folder: Path, project: int, url: str, key: str, *arguments: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": key}
    line = [sys.executable, "-m", "prebrush", "prelabel", "--project", str(project), "--json", *arguments]
    return subprocess.Popen(line, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def prelabel(folder: Path, project: int, url: str, key: str, *arguments: str) -> dict[str, object]:
    with command(folder, project, url, key, *arguments) as process:
        output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    found: dict[str, object] = json.loads(output)
    return found


def versions_of(studio: Studio, project: int) -> dict[int, Counter[str]]:
    """Count each task's predictions by version."""
    found: dict[int, Counter[str]] = {}
    for each in studio.predictions(project):
        found.setdefault(each["task"], Counter())[each["model_version"]] += 1
    return found


@pytest.fixture
def project(studio: Studio) -> int:
    """A project of many tasks that share a few uploaded pictures."""
    number = studio.create_project(
        "many", LABEL_CONFIG.replace("<BrushLabels", '<BrushLabels model_method="threshold"')
    )
    firsts = [studio.upload(number, picture.name, picture.content) for picture in ordinary_pictures()[:5]]
    addresses = [studio.call("GET", f"/api/tasks/{task}")["data"]["image"] for task in firsts]
    more = [{"image": addresses[place % len(addresses)]} for place in range(TASKS - len(firsts))]
    studio.call("POST", f"/api/projects/{number}/import", more)
    return number


def test_killed_half_way_and_resumed(studio: Studio, access_token: str, project: int, tmp_path: Path) -> None:
    def stored() -> int:
        return int(studio.call("GET", f"/api/projects/{project}/")["total_predictions_number"])

    with command(tmp_path, project, studio.url, access_token) as process:
        wait_for(lambda: stored() > 60, "the first predictions", 120)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    half_way = stored()
    assert half_way < TASKS

    facts = prelabel(tmp_path, project, studio.url, access_token)

    assert facts["failed"] == 0
    counts = versions_of(studio, project)
    assert len(counts) == TASKS
    assert {tuple(each.items()) for each in counts.values()} == {((facts["model_version"], 1),)}
    again = prelabel(tmp_path, project, studio.url, access_token)
    assert (again["done"], again["skipped"]) == (0, TASKS)


class _Cutting(BaseHTTPRequestHandler):
    """Hands everything on to Label Studio; of every second upload the answer is lost."""

    target: str
    uploads: list[int]

    def do_GET(self) -> None:
        self.hand_on(None)

    def do_POST(self) -> None:
        self.hand_on(self.rfile.read(int(self.headers["Content-Length"])))

    def hand_on(self, body: bytes | None) -> None:
        headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
        answer = urllib3.request(
            self.command, self.target + self.path, body=body, headers=headers, timeout=100, retries=False
        )
        if self.path.endswith("/import/predictions"):
            self.uploads.append(answer.status)
            if len(self.uploads) % 2:
                self.close_connection = True
                return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cutting(studio: Studio) -> Iterator[tuple[str, list[int]]]:
    uploads: list[int] = []
    handler = type("Handler", (_Cutting,), {"target": studio.url, "uploads": uploads})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", uploads
    server.shutdown()
    server.server_close()


def test_lost_answers_leave_no_double(
    studio: Studio, access_token: str, project: int, cutting: tuple[str, list[int]], tmp_path: Path
) -> None:
    url, uploads = cutting

    facts = prelabel(tmp_path, project, url, access_token)

    assert (facts["done"], facts["failed"]) == (TASKS, 0)
    assert uploads.count(201) >= TASKS // 50
    counts = versions_of(studio, project)
    assert len(counts) == TASKS
    assert {tuple(each.items()) for each in counts.values()} == {((facts["model_version"], 1),)}


def test_it_predicts_what_the_connected_server_predicted(
    connected: Connected, access_token: str, tmp_path: Path
) -> None:
    """Which is why it finds nothing to do; into a file, it writes the very same regions."""
    facts = prelabel(tmp_path, connected.project, connected.studio.url, access_token)
    assert (facts["done"], facts["skipped"]) == (0, len(connected.tasks))

    prelabel(tmp_path, connected.project, connected.studio.url, access_token, "--out", "tasks.json")

    written = {task["id"]: task["predictions"][0] for task in json.loads((tmp_path / "tasks.json").read_text())}
    stored = {each["task"]: each for each in connected.studio.predictions(connected.project)}
    assert written.keys() == stored.keys()
    for task, prediction in written.items():
        assert prediction["model_version"] == stored[task]["model_version"]
        assert prediction["result"] == stored[task]["result"]
    assert not re.search(access_token, (tmp_path / f"prelabel-{connected.project}/index.html").read_text())


def test_a_file_is_imported_with_its_predictions(
    studio: Studio, access_token: str, project: int, tmp_path: Path
) -> None:
    prelabel(tmp_path, project, studio.url, access_token, "--out", "tasks.json")
    tasks = json.loads((tmp_path / "tasks.json").read_text())[:40]
    other = studio.create_project("imported", LABEL_CONFIG)

    studio.call("POST", f"/api/projects/{other}/import", tasks)

    assert len(studio.predictions(other)) == 40
