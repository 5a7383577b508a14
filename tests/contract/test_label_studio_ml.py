"""prebrush under the `label-studio-ml` tool answers as under its own server, on the recorded requests and beside them.

The line of the package index (1.0.9) is the real tool in an environment of its own, the 2.x line a stand-in for it.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from conftest import RECORDED as FOLDER
from conftest import ROOT, TOOL, TOOL_RUNS
from demo.processes import Server, find_free_port, run_server
from servers import FileServer

from .conftest import CONFIG, RECORDED_IMAGES, draw_discs, write_image

BACKEND = ROOT / "backend"
SECOND_LINE = ROOT / "tests" / "second_line"
PREDICTIONS = sorted(path.stem for path in FOLDER.glob("predict_*.json"))
EVENTS = sorted(path.stem for path in [*FOLDER.glob("webhook_*.json"), *FOLDER.glob("start_*.json")])
WITHOUT_IMAGE = {"predict_cloud_storage", "predict_local_files"}
WITH_ANNOTATION = "webhook_annotation_created"


def skip_without_the_tool() -> None:
    if not TOOL_RUNS:
        pytest.skip("label-studio-ml 1.0.9 runs on Python up to 3.13")
    if not (TOOL / "label-studio-ml").exists():
        pytest.skip("no label-studio-ml; `make test` installs it")


@contextmanager
def run_face(line: str, folder: Path, *options: str, **environ: str) -> Iterator[Server]:
    """Start prebrush through a line of the tool, with its storage in ``folder``."""
    port = find_free_port()
    options = ("--port", str(port), *options)
    environ = {"PREBRUSH_STORAGE_URL": f"sqlite:///{folder}/data", "PREBRUSH_SERVER_JOBS": "2", **environ}
    if line == "2.x":
        # `label-studio-ml start` runs just this
        command = [sys.executable, str(BACKEND / "_wsgi.py"), *options]
        environ["PYTHONPATH"] = str(SECOND_LINE)
    else:
        command = [str(TOOL / "label-studio-ml"), "start", str(BACKEND), *options]
        environ["PATH"] = f"{TOOL}:/usr/bin:/bin"
    url = f"http://127.0.0.1:{port}"
    log = folder / "face.log"
    with run_server(command, url=url, environment=environ, folder=folder, log=log, start_limit_s=90) as server:
        yield server


def ask(face: Server, method: str, path: str, body: object = None, **more: object) -> urllib3.BaseHTTPResponse:
    return urllib3.request(method, face.url + path, json=body, timeout=60, retries=False, **more)


def set_up(face: Server, project: str, extra: object = None, hostname: str = "") -> str:
    told = {"project": project, "schema": CONFIG, "hostname": hostname, "access_token": "", "extra_params": extra}
    answer = ask(face, "POST", "/setup", told)
    assert answer.status == 200, answer.data
    return answer.json()["model_version"]


def predict(face: Server, project: str, image: str = "/data/upload/1/688aa64b-photo.jpg") -> dict:
    tasks = [{"id": 1, "data": {"image": image}}]
    params = {"login": None, "password": None, "context": None}
    answer = ask(
        face, "POST", "/predict", {"tasks": tasks, "project": project, "label_config": CONFIG, "params": params}
    )
    assert answer.status == 200, answer.data
    (entry,) = answer.json()["results"]
    return entry


def without_ids(results: list) -> list:
    """Leave out the regions' ids, which are fresh in each answer to clicks and boxes."""
    return [
        {**entry, "result": [{key: region[key] for key in region if key != "id"} for region in entry["result"]]}
        if entry
        else entry
        for entry in results
    ]


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Iterator[FileServer]:
    """A file server with the images of the recorded requests, for as long as the tools run."""
    server = FileServer(tmp_path_factory.mktemp("images"))
    for name in RECORDED_IMAGES:
        write_image(server.folder / "data/upload/1" / name, draw_discs())
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["1.0.9", "2.x"])
def line(request) -> str:
    if request.param == "1.0.9":
        skip_without_the_tool()
    return request.param


@pytest.fixture(scope="module")
def face(line, images, tmp_path_factory) -> Iterator[Server]:
    with run_face(line, tmp_path_factory.mktemp("face"), LABEL_STUDIO_URL=images.url) as server:
        yield server


@pytest.mark.parametrize("name", ["setup", "setup_empty_config"])
def test_setup_answers_as_our_server(name, face, client, recorded):
    body = recorded(name)["request"]["body"]
    assert ask(face, "POST", "/setup", body).json() == client.post("/setup", json=body).get_json()


@pytest.mark.parametrize("name", PREDICTIONS)
def test_predictions_are_those_of_our_server(name, face, client, studio, recorded):
    body = recorded(name)["request"]["body"]
    told = recorded("setup")["request"]["body"] | {"extra_params": {"method": "threshold"}}
    version = ask(face, "POST", "/setup", told).json()["model_version"]
    client.post("/setup", json=told)
    ours = client.post("/predict", json=body).get_json()["results"]
    theirs = ask(face, "POST", "/predict", body).json()["results"]
    if body["params"]["context"]:
        ours, theirs = without_ids(ours), without_ids(theirs)
    assert theirs == ours
    if name not in WITHOUT_IMAGE:
        assert {entry["model_version"] for entry in theirs} == {version}
        # clicks were made on another picture; what they find in ours is not the matter here
        assert body["params"]["context"] or any(entry["result"] for entry in theirs)


def test_every_event_is_taken_and_leaves_nothing_behind(face, recorded):
    folder = face.log.parent
    before = {*BACKEND.iterdir(), *folder.iterdir()}
    for name in EVENTS:
        answer = ask(face, "POST", "/webhook", recorded(name)["request"]["body"])
        assert 200 <= answer.status < 300, name
        assert answer.json()
    assert {*BACKEND.iterdir(), *folder.iterdir()} == before


def test_an_annotation_does_not_change_the_version(face, recorded):
    told = recorded("setup")["request"]["body"]
    before = ask(face, "POST", "/setup", told).json()
    ask(face, "POST", "/webhook", recorded(WITH_ANNOTATION)["request"]["body"])
    assert ask(face, "POST", "/setup", told).json() == before


def test_projects_keep_their_own_extra_parameters(face):
    first = set_up(face, "11.1700000000", {"method": "kmeans", "params": {"n_clusters": 3}})
    # text is taken too
    second = set_up(face, "12.1700000000", '{"method": "threshold"}')
    assert first.startswith("prebrush-kmeans-")
    assert second.startswith("prebrush-threshold-")
    assert predict(face, "11.1700000000")["model_version"] == first
    assert predict(face, "12.1700000000")["model_version"] == second
    assert set_up(face, "11.1700000000", {"method": "kmeans", "params": {"n_clusters": 4}}) != first


def test_extra_parameters_that_do_not_fit_are_answered(face):
    assert set_up(face, "13.1700000000", {"method": "no such"}).startswith("prebrush-none-")
    assert set_up(face, "13.1700000000", "{").startswith("prebrush-none-")
    assert set_up(face, "13.1700000000", {"method": "multi_otsu"}).startswith("prebrush-multi_otsu-")


def test_a_failed_task_is_an_empty_list(face):
    assert predict(face, "14.1700000000", "/data/upload/1/missing.png") == []


def test_a_restart_forgets_nothing(line, images, tmp_path):
    with run_face(line, tmp_path, LABEL_STUDIO_URL=images.url) as face:
        version = set_up(face, "1.1700000000", {"method": "kmeans"})
    with run_face(line, tmp_path, LABEL_STUDIO_URL=images.url) as face:
        assert predict(face, "1.1700000000")["model_version"] == version


def test_no_secret_reaches_the_log(line, images, tmp_path, recorded):
    told = {"project": "5.1", "schema": CONFIG, "hostname": images.url, "access_token": "S3CRET-token"}
    tasks = [{"id": 1, "data": {"image": "/data/upload/1/x.png?sig=S3CRET-signature"}}]
    params = {"login": "u", "password": "S3CRET-pw", "context": None}
    body = {"tasks": tasks, "project": "5.1", "label_config": CONFIG, "params": params}
    with run_face(line, tmp_path, "--log-level", "DEBUG", LABEL_STUDIO_API_KEY="S3CRET-key") as face:
        ask(face, "POST", "/setup", told)
        assert ask(face, "POST", "/predict", body).json()["results"] == [[]]
        log = "\n".join(face.log_lines())
    assert "task 1:" in log
    assert "S3CRET" not in log


def test_the_host_that_setup_tells_is_used(images, tmp_path):
    # of the line that passes it on
    skip_without_the_tool()
    with run_face("1.0.9", tmp_path) as face:
        version = set_up(face, "1.1700000000", hostname=images.url)
        entry = predict(face, "1.1700000000")
        assert entry["result"]
        assert entry["model_version"] == version
        assert ask(face, "POST", "/versions", {"project": "1.1700000000"}).json()["versions"] == [version]
        assert ask(face, "GET", "/is_training?project=1.1700000000").json() == {"is_training": False}
        assert ask(face, "POST", "/train", {"annotations": [{}], "project": "1.1700000000"}).status == 201


def test_the_second_line_asks_for_the_password(tmp_path):
    # with no look at /health for the start: that asks for it too
    code = "import _wsgi; print(_wsgi.app.test_client().get('/health').status_code)"
    environ = {"PYTHONPATH": f"{SECOND_LINE}:{BACKEND}", "BASIC_AUTH_USER": "u", "BASIC_AUTH_PASS": "p"}
    done = run_once([sys.executable, "-c", code], tmp_path, environ)
    assert (done.returncode, done.stdout) == (0, "401\n")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux lists a process's threads there")
def test_no_library_makes_threads_of_its_own(tmp_path):
    # they would fight ours for the cores; on a machine of one core there are none in any case
    code = (
        "import os, threading, _wsgi, numpy as np, cv2\n"
        "a = np.ones((1500, 1500)); a @ a; cv2.GaussianBlur(a, (0, 0), 5)\n"
        "print(len(os.listdir('/proc/self/task')) - threading.active_count())"
    )
    done = run_once([sys.executable, "-c", code], tmp_path, {"PYTHONPATH": f"{SECOND_LINE}:{BACKEND}"})
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


def test_the_first_line_which_cannot_ask_refuses_to_start(tmp_path):
    skip_without_the_tool()
    environ = {"BASIC_AUTH_USER": "u", "BASIC_AUTH_PASS": "p"}
    done = run_once([str(TOOL / "python"), str(BACKEND / "_wsgi.py")], tmp_path, environ)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "BASIC_AUTH_USER" in done.stderr


def test_a_wsgi_server_finds_the_app(tmp_path):
    skip_without_the_tool()
    code = "import _wsgi; print(_wsgi.app.test_client().get('/health').get_json()['status'])"
    done = run_once([str(TOOL / "python"), "-c", code], tmp_path, {"PYTHONPATH": str(BACKEND)})
    assert (done.returncode, done.stdout) == (0, "UP\n"), done.stderr


def test_our_server_refuses_the_flask_of_the_tool(tmp_path):
    skip_without_the_tool()
    done = run_once([str(TOOL / "prebrush"), "serve"], tmp_path, {})
    assert done.returncode == 2
    assert done.stderr.startswith("prebrush: the server needs Flask")
    assert done.stderr.count("\n") == 1


def run_once(command: list[str], folder: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin", "PREBRUSH_STORAGE_URL": f"sqlite:///{folder}/data", **environ}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=90)
