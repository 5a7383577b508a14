"""Tasks that events announce are predicted before anybody opens them; on an event's word alone, nothing is done."""

import json
import time

import pytest

from prebrush.background import MOST_PROJECTS, Background
from prebrush.labelstudio.request import WebhookEvent, parse_webhook
from prebrush.predictor import build_predictor
from prebrush.settings import load_settings
from prebrush.web import create_app
from redis_servers import wait_until
from studio_stub import CONFIG, CREATED, KEY, StudioStub

PROJECT = "7.1795428000"


@pytest.fixture
def stub():
    stub = StudioStub(tasks=45)
    yield stub
    stub.stop()


@pytest.fixture
def settings(stub, tmp_path):
    return load_settings(environ={**stub.environment(), "PREBRUSH_STORAGE_URL": f"sqlite:///{tmp_path}/data"})


@pytest.fixture
def predictor(settings):
    predictor = build_predictor(settings)
    yield predictor
    predictor.close()


def event(action: str = "TASKS_CREATED", project: int = 7, tasks: tuple = ()) -> dict:
    forged = {"image": "http://169.254.169.254/secret"}
    return {
        "action": action,
        "project": {"id": project, "created_at": CREATED, "label_config": "<View/>"},
        "tasks": [{"id": task, "data": forged} for task in tasks],
    }


def set_up(client) -> str:
    setup = {"project": PROJECT, "schema": CONFIG, "hostname": "", "access_token": ""}
    return client.post("/setup", json=setup).json["model_version"]


def images_asked(stub: StudioStub) -> list[str]:
    return [path for path in stub.asked if path.startswith("/data/upload/")]


@pytest.mark.parametrize(("action", "tasks", "wanted"), [("TASKS_CREATED", (51, 53), 25), ("PROJECT_UPDATED", (), 45)])
def test_announced_tasks_are_warm(settings, predictor, stub, action, tasks, wanted):
    client = create_app(settings, predictor).test_client()
    set_up(client)
    started = time.monotonic()
    assert client.post("/webhook", json=event(action, tasks=tasks)).status_code == 201
    assert time.monotonic() - started < 1
    # from the first that the event names, which tells nothing but where to begin
    wait_until(lambda: len(images_asked(stub)) == wanted)
    time.sleep(0.3)
    figures = client.get("/metrics").text.splitlines()
    assert f"prebrush_background_tasks_total {wanted}.0" in figures
    assert "prebrush_background_projects_waiting 0.0" in figures
    before = len(stub.asked)
    opened = [{"id": task, "data": {"image": stub.tasks[task]}} for task in (51, 53, 99)]
    answer = client.post("/predict", json={"project": PROJECT, "label_config": CONFIG, "tasks": opened}).json
    assert [len(entry["result"]) for entry in answer["results"]] == [1, 1, 1]
    # uploads never change: with the prediction kept, nobody is asked for anything
    assert len(stub.asked) == before


def test_an_event_of_an_unknown_project_asks_nobody(settings, predictor, stub):
    background = Background(predictor, settings, pause_s=0)
    for body in (event(), event(project=8), event("ANNOTATION_CREATED", tasks=(11,))):
        background.notice(parse_webhook(as_body(body)))
    time.sleep(0.5)
    assert stub.asked == []


def test_what_waits_is_bounded(settings, predictor, stub):
    background = Background(predictor, settings, pause_s=0.5)
    for number in range(10 * MOST_PROJECTS):
        background.notice(WebhookEvent("TASKS_CREATED", project=f"{number}.1"))
    assert len(background._waiting) == MOST_PROJECTS


def test_a_label_studio_that_is_away_costs_a_line_in_the_log(settings, predictor, stub, caplog):
    set_up(create_app(settings, predictor).test_client())
    stub.stop()
    predictor = build_predictor(settings)
    background = Background(predictor, settings, pause_s=0)
    with caplog.at_level("INFO", "prebrush.background"):
        background.notice(parse_webhook(as_body(event())))
        wait_until(lambda: "are not prepared" in caplog.text)
    assert KEY not in caplog.text
    assert background._thread.is_alive()
    predictor.close()


def as_body(body: dict) -> bytes:
    return json.dumps(body).encode()
