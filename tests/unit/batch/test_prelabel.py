"""`prebrush prelabel` against a stand-in Label Studio, and with folders."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prebrush.batch.run import Previews, plan_run
from prebrush.batch.studio import open_project
from prebrush.cli import main
from prebrush.datatypes import Task
from prebrush.errors import ImageNotFound
from prebrush.labelstudio import rle
from prebrush.settings import load_settings
from prebrush.web import create_app
from studio_stub import CONFIG, StudioStub, draw


def start(cwd: Path, stub: StudioStub) -> subprocess.Popen[str]:
    """Run the command on project 7 in a process of its own, which can be killed."""
    command = [sys.executable, "-m", "prebrush", "prelabel", "--project", "7"]
    environ = {**os.environ, **stub.environment()}
    return subprocess.Popen(command, cwd=cwd, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command in this process; give its status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stub: StudioStub | None = None) -> tuple[int, str, str]:
        for name, value in (stub.environment() if stub else {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["prebrush", "prelabel", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        output, errors = capsys.readouterr()
        return int(ended.value.code or 0), output, errors

    return run


@pytest.fixture
def label_project(run):
    def label_project(stub: StudioStub, *arguments: object, status: int = 0) -> dict:
        found, output, errors = run("--project", 7, "--json", *arguments, stub=stub)
        assert found == status, errors
        return json.loads(output)

    return label_project


def test_a_project_is_predicted_as_the_server_predicts_it(stub, tmp_path, run, label_project):
    stub.broken = {13, 15}
    stub.extra_params = {"regions": {"max": 3}}
    facts = label_project(stub, status=1)
    assert (facts["done"], facts["skipped"], facts["failed"]) == (118, 0, 2)
    assert {failure["task"] for failure in facts["failures"]} == stub.broken
    assert all("404" in failure["reason"] for failure in facts["failures"])
    counts = stub.count_by_task()
    assert {task: count for task, count in counts.items() if count != 1} == {13: 0, 15: 0}

    # what the server answers when Label Studio asks it for the same tasks
    settings = load_settings(environ={**stub.environment(), "PREBRUSH_STORAGE_URL": f"sqlite:///{tmp_path}/other"})
    client = create_app(settings).test_client()
    project = f"7.{1795428000}"
    setup = {"project": project, "schema": CONFIG, "hostname": stub.url, "extra_params": stub.extra_params}
    assert client.post("/setup", json=setup).json["model_version"] == facts["model_version"]
    some = [11, 121, 249]
    tasks = [{"id": task, "data": {"image": stub.tasks[task]}} for task in some]
    answer = client.post("/predict", json={"project": project, "label_config": CONFIG, "tasks": tasks}).json
    for task, entry in zip(some, answer["results"], strict=True):
        (stored,) = [each for each in stub.predictions if each["task"] == task]
        assert {key: stored[key] for key in entry} == entry

    # again, with the images there: only those that failed are tried
    stub.broken = set()
    again = label_project(stub)
    assert (again["done"], again["skipped"], again["failed"]) == (2, 118, 0)
    assert set(stub.count_by_task().values()) == {1}
    page = (tmp_path / "prelabel-7/index.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2


def test_killed_and_started_again_every_task_has_one_prediction(stub, tmp_path, run, label_project):
    with start(tmp_path, stub) as process:
        # in the middle of an upload: it is stored, and the process dies before it hears so
        def kill(_: list[int]) -> bool:
            process.send_signal(signal.SIGKILL)
            time.sleep(0.2)
            return True

        stub.after_upload = kill
        assert process.wait(60) == -signal.SIGKILL
    stored = len(stub.predictions)
    assert 0 < stored < 120
    stub.after_upload = lambda _: True
    facts = label_project(stub)
    assert set(stub.count_by_task().values()) == {1}
    assert (facts["done"], facts["skipped"]) == (120 - stored, stored)


def test_stopped_it_finishes_what_runs_and_says_how_to_go_on(tmp_path, label_project):
    stub = StudioStub(tasks=400)
    with start(tmp_path, stub) as process:
        told: list[object] = []
        stub.after_upload = lambda _: told or told.append(process.send_signal(signal.SIGINT)) or True
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    done = int(re.search(r"(\d+) predicted", output)[1])
    assert done == len(stub.predictions) < 400
    stub.after_upload = lambda _: True
    assert label_project(stub)["done"] == 400 - done
    assert set(stub.count_by_task().values()) == {1}
    stub.stop()


@pytest.mark.parametrize("folder", ["", "elsewhere"])
def test_two_runs_at_once_are_one_too_many(stub, tmp_path, run, label_project, folder):
    (tmp_path / "elsewhere").mkdir()
    inside = []

    def start_another(_):
        if not inside:
            inside.append(True)
            second = start(tmp_path / folder, stub)
            inside.append((second.communicate(timeout=60)[1], second.returncode))
        return True

    stub.before_upload = start_another
    assert label_project(stub)["done"] == 120
    said, status = inside[1]
    assert status == 1
    assert "another prebrush is at work on project 7" in said
    assert set(stub.count_by_task().values()) == {1}


def test_only_missing_leaves_older_predictions_alone(stub, tmp_path, run, label_project):
    older = list(stub.tasks)[:100]
    stub.store([{"task": task, "model_version": "by hand", "result": []} for task in older])
    facts = label_project(stub, "--only-missing")
    assert (facts["done"], facts["skipped"]) == (20, 100)
    assert set(stub.count_by_task().values()) == {1}
    assert label_project(stub)["done"] == 100


def test_a_project_goes_into_a_file(stub, tmp_path, run, label_project):
    facts = label_project(stub, "--out", "tasks.json")
    assert facts["out"] == "tasks.json"
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert {task["id"] for task in tasks} == set(stub.tasks)
    assert tasks[0]["data"]["image"].startswith("/data/upload/7/")
    assert {task["predictions"][0]["model_version"] for task in tasks} == {facts["model_version"]}
    assert stub.predictions == []


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "my photos"
    for number in range(6):
        path = folder / ("below" if number % 2 else "") / f"disc {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(number))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("hello")
    (folder / ".hidden.png").write_bytes(draw(1))
    return folder


def test_a_folder_needs_neither_the_sdk_nor_rq(photos, tmp_path):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('label_studio_sdk', 'rq', 'httpx')))\n"
        "from prebrush.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "prelabel", str(photos), "--out", str(tmp_path / "tasks.json"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=100)
    assert json.loads(done.stdout)["done"] == 6, done.stderr
    command[4:6] = ["--project", "1"]
    refused = subprocess.run(command[:6], capture_output=True, text=True, cwd=tmp_path, timeout=100)
    assert refused.returncode == 2
    assert "prebrush[prelabel]" in refused.stderr


def test_a_folder_becomes_a_file_to_import(photos, tmp_path, run):
    config = tmp_path / "config.xml"
    config.write_text(CONFIG.replace("$image", "$photo"))
    arguments = (photos, "--out", tmp_path / "tasks.json", "--label-config", config)
    status, output, errors = run(*arguments, "--json")
    assert status == 1, errors
    facts = json.loads(output)
    assert (facts["done"], facts["failed"]) == (6, 1)
    assert facts["failures"][0]["task"] == "broken.jpg"
    tasks = {task["id"]: task for task in json.loads((tmp_path / "tasks.json").read_text())}
    assert len(tasks) == 6
    task = tasks["below/disc 1.png"]
    assert task["data"] == {"photo": "/data/local-files/?d=my%20photos/below/disc%201.png"}
    (region,) = task["predictions"][0]["result"]
    mask = rle.decode_mask(region["value"]["rle"], 64, 64)
    assert mask[30, 30]
    assert not mask[2, 2]
    assert (tmp_path / "prelabel-my photos/index.html").is_file()


def test_the_next_run_over_a_folder_adds_what_had_failed(photos, tmp_path, run):
    assert json.loads(run(photos, "--out", "t.json", "--json")[1])["failed"] == 1
    (photos / "broken.jpg").write_bytes(draw(9))
    status, output, errors = run(photos, "--out", "t.json", "--json")
    assert status == 0, errors
    facts = json.loads(output)
    assert (facts["done"], facts["skipped"], facts["failed"]) == (1, 6, 0)
    assert len(json.loads((tmp_path / "t.json").read_text())) == 7


def test_failures_of_one_cause_are_one_line_that_shows_one_whole(photos, run):
    (photos / "also broken.jpg").write_bytes((photos / "broken.jpg").read_bytes())
    (photos / "empty.png").touch()
    _, output, _ = run(photos, "--out", "t.json")
    lines = [line.strip() for line in output.splitlines() if " x " in line]
    assert len(lines) == 2
    assert lines[0].startswith("2 x such as: ")
    assert "broken.jpg: not an image that can be read" in lines[0]
    assert lines[1].endswith("my photos/empty.png: the image is empty: no bytes came")


def test_a_name_that_is_no_text_costs_its_own_image_alone(photos, tmp_path, run):
    (photos / os.fsdecode(b"caf\xe9.png")).write_bytes(draw(1))
    (photos / "broken.jpg").unlink()
    status, output, _ = run(photos, "--out", "t.json", "--json")
    facts = json.loads(output)
    assert (status, facts["done"], facts["failed"]) == (1, 6, 1)
    assert "rename" in facts["failures"][0]["reason"]
    assert "caf\\udce9.png" in (tmp_path / "prelabel-my photos/index.html").read_text()


def test_a_folder_behind_a_link_goes_by_the_name_of_the_link(photos, tmp_path, run):
    (tmp_path / "link").symlink_to(photos, target_is_directory=True)
    run("link", "--out", "t.json")
    assert "/data/local-files/?d=link/disc%200.png" in (tmp_path / "t.json").read_text()
    assert (tmp_path / "prelabel-link/index.html").is_file()


def test_addresses_of_images_are_written_as_asked(photos, tmp_path, run):
    address = "https://host/{folder}/x-{name}"
    status, _, errors = run(photos, "--out", "t.json", "--image-url", address)
    assert status == 1
    assert "Labeling config" in errors
    tasks = json.loads((tmp_path / "t.json").read_text())
    assert "https://host/my%20photos/x-disc%205.png" in {task["data"]["image"] for task in tasks}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "--project 7"),
        (["photos", "--project", "7"], 2, "either"),
        (["photos"], 2, "--out"),
        (["nowhere", "--out", "t.json"], 1, "not a folder"),
        (["photos", "--out", "t.json", "--image-url", "/data/"], 2, "{path}"),
        (["photos", "--out", "t.json", "--label-config", "none.xml"], 2, "none.xml"),
        (["--project", "7", "--image-url", "{path}"], 2, "for a folder"),
        (["--project", "7"], 2, "LABEL_STUDIO_URL"),
        (["--project", "7", "--url", "http://127.0.0.1:9"], 2, "LABEL_STUDIO_API_KEY"),
        (["--project", "7", "--url", "http://127.0.0.1:9", "--api-key", "x"], 1, "does not answer"),
        (["--project", "0"], 2, "--project"),
    ],
)
def test_an_error_is_one_line(tmp_path, run, arguments, status, words):
    (tmp_path / "photos").mkdir()
    found, _, errors = run(*arguments)
    assert found == status, errors
    assert len(errors.strip().splitlines()) == 1
    assert words in errors


def test_another_label_studio_is_an_error_of_one_line(stub, tmp_path, run, label_project):
    for arguments, words in (
        (["--project", 8], "knows no project 8"),
        (["--project", 7, "--api-key", "wrong"], "refuses the key"),
    ):
        status, _, errors = run(*arguments, stub=stub)
        assert status == 1
        assert len(errors.strip().splitlines()) == 1
        assert words in errors


def test_without_the_sdk_the_error_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "label_studio_sdk", None)
    monkeypatch.delitem(sys.modules, "prebrush.batch.studio")
    for module in ("run", "here", "uploading", "sessions"):
        monkeypatch.delitem(sys.modules, f"prebrush.batch.{module}", raising=False)
    status, _, errors = run("--project", 7, "--url", "http://127.0.0.1:9", "--api-key", "x")
    assert status == 2
    assert "pip install 'prebrush[prelabel]'" in errors


def test_a_config_without_image_tags_is_refused_before_anything_is_done(stub, tmp_path, run, label_project):
    stub.label_config = "<View><Text name='t' value='$text'/></View>"
    status, _, errors = run("--project", 7, stub=stub)
    assert status == 2
    assert "BrushLabels" in errors


def test_settings_of_the_project_and_setup_count(stub, tmp_path, run, label_project):
    settings = load_settings(environ={**stub.environment(), "PREBRUSH_STORAGE_URL": f"sqlite:///{tmp_path}/data"})
    plain = plan_run(settings, open_project(settings, 7), only_missing=False)
    client = create_app(settings).test_client()
    setup = {"project": plain.project.key, "schema": CONFIG, "extra_params": {"regions": {"max": 2}}}
    version = client.post("/setup", json=setup).json["model_version"]
    told = plan_run(settings, open_project(settings, 7), only_missing=False)
    assert told.version == version != plain.version
    for each in (plain, told):
        each.close()
        each.project.close()


def test_previews_are_a_fair_choice_and_a_failure_costs_one_picture():
    drawn = []

    def paint(task: Task):
        drawn.append(task.id)
        if task.id == 3:
            raise ImageNotFound("gone")
        return task.id

    previews = Previews(paint, most=4)
    for number in range(400):
        previews.offer(Task(number, {}))
    chosen = [task for task, _ in previews.chosen]
    assert len(set(chosen)) == 4
    assert max(chosen) > 50
    assert len(drawn) < 60
