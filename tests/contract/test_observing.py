"""What is seen from outside: life, readiness, metrics, and a log whose lines belong together."""

import json
import logging
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from prebrush.errors import Overloaded
from prebrush.process import JsonLine, OneLine
from prebrush.web import create_app
from prebrush.web.readiness import Readiness
from servers import Server

from .conftest import CONFIG, draw_discs, write_image
from .test_load import body_of, data_url


def metrics_of(client) -> dict[str, dict[tuple[str, ...], float]]:
    text = client.get("/metrics").get_data(as_text=True)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for sample in samples:
        found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_the_metrics_follow_an_image_through_the_work(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    for _ in range(2):
        assert client.post("/predict", json=body_of(["/data/upload/discs.png"])).status_code == 200
    assert client.post("/predict", json=body_of(["/data/upload/discs.png"], click=True)).status_code == 200
    assert client.post("/predict", json=body_of(["/data/upload/none.png"])).get_json()["results"] == [[]]
    found = metrics_of(client)
    stages = found["prebrush_stage_seconds_count"]
    assert stages["", "fetch"] >= 1
    assert stages["", "decode"] >= 1
    assert {key: count for key, count in stages.items() if key[1] == "segment"} == {("auto", "segment"): 1}
    assert stages["auto", "encode"] == 1
    assert [key for key in stages if key[1] == "answer_marks"]
    assert found["prebrush_cache_reads_total"]["answer", "miss"] == 1
    assert found["prebrush_cache_reads_total"]["answer", "hit"] == 1
    assert found["prebrush_cache_reads_total"]["segments", "miss"] == 1
    assert found["prebrush_image_failures_total"] == {("ImageNotFound",): 1}
    assert found["prebrush_tasks_total"] == {("answered",): 3, ("failed",): 1}
    assert found["prebrush_request_seconds_count"]["/predict", "200"] == 4
    assert found["prebrush_storage_up"][()] == 1
    assert found["prebrush_tasks_unfinished"][()] == 0
    assert found["process_resident_memory_bytes"][()] > 1e6


def test_the_metrics_tell_of_a_storage_that_is_away(make_settings):
    client = create_app(make_settings(storage={"url": "redis://127.0.0.1:9/0"})).test_client()
    client.post("/setup", json={"project": "1.1", "schema": CONFIG, "hostname": "", "access_token": ""})
    client.post("/predict", json=body_of([data_url(draw_discs())]))
    found = metrics_of(client)
    assert found["prebrush_storage_up"][()] == 0
    assert found["prebrush_storage_held_projects"][()] == 1
    assert found["prebrush_storage_errors_total"]["write",] >= 1
    assert found["prebrush_storage_errors_total"]["read",] >= 1
    # it serves all the same
    assert client.get("/ready").get_json() == {"status": "READY", "storage": "away"}


def test_no_caller_can_add_metrics(client):
    before = None
    for number in range(3):
        client.get(f"/unknown/{number}")
        client.post("/webhook", json={"action": f"EVENT_{number}"})
        client.post("/predict", json=body_of([f"/data/upload/{number}.png"]), headers={"X-Request-ID": str(number)})
        client.open("/health", method=f"METHOD{number}")
        names = {(name, labels) for name, series in metrics_of(client).items() for labels in series}
        assert before is None or names - before == set()
        client.get("/metrics")
        before = {(name, labels) for name, series in metrics_of(client).items() for labels in series}


def test_a_server_is_ready_when_it_is_warm_and_not_when_it_stops_or_is_full(make_settings):
    readiness = Readiness()
    app = create_app(make_settings(), readiness=readiness)
    client = app.test_client()

    def answer() -> tuple[int, str]:
        found = client.get("/ready")
        assert found.status_code == 200 or found.headers["Retry-After"]
        return found.status_code, found.get_json().get("detail", "")

    assert answer() == (503, "the kernels are being loaded")
    readiness.is_warm = True
    assert answer() == (200, "")
    readiness.is_stopping = True
    assert answer() == (503, "the server is stopping")
    assert client.get("/health").status_code == 200


def test_room_is_kept_for_people_beside_batches():
    from prebrush.web.room import Room

    room, held = Room(12), []

    def enter(**kind):
        place = room.enter(**kind)
        place.__enter__()
        held.append(place)

    for _ in range(4):
        enter(batch=True)
    with pytest.raises(Overloaded):
        enter(batch=True)
    for _ in range(4):
        enter()
    assert room.is_full
    with pytest.raises(Overloaded):
        enter()
    held.pop(0).__exit__(None, None, None)
    enter(batch=True)
    for place in held:
        place.__exit__(None, None, None)
    assert room.taken == 0


def test_probes_need_no_password_and_learn_nothing(make_settings):
    client = create_app(make_settings(server={"basic_auth_user": "me", "basic_auth_pass": "pw"})).test_client()
    assert set(client.get("/health").get_json()) == {"status", "model_class", "version"}
    assert set(client.get("/ready").get_json()) == {"status", "storage"}
    assert client.get("/metrics").status_code == client.get("/").status_code == 401


def test_every_line_of_a_request_carries_its_id(client, caplog):
    caplog.handler.setFormatter(OneLine())
    with caplog.at_level(logging.INFO, "prebrush"):
        answer = client.post("/predict", json=body_of(["/data/upload/none.png"]), headers={"X-Request-ID": "abc-1"})
    assert answer.headers["X-Request-ID"] == "abc-1"
    # events of earlier tests are worked on a while later, in a thread of their own
    lines = [line for line in caplog.text.splitlines() if "an event of project" not in line]
    assert any("task 0: no prediction" in line for line in lines)
    assert sum("POST /predict 200" in line for line in lines) == 1
    assert all("[abc-1]" in line for line in lines), caplog.text


@pytest.mark.parametrize("given", ["", "a\tb", "x" * 65, "a b", "é"])
def test_an_id_that_could_forge_a_line_is_replaced(client, given):
    shown = client.get("/health", headers={"X-Request-ID": given.encode("latin-1")}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{16}", shown)


def test_a_json_line_is_one_object_with_what_was_asked():
    record = logging.LogRecord("prebrush.access", logging.INFO, "x.py", 1, "%s\n%s", ("a", "b"), None)
    record.fields = {"status": 200}
    line = JsonLine().format(record)
    assert "\n" not in line
    content = json.loads(line)
    assert (content["message"], content["level"], content["status"]) == ("a\nb", "info", 200)


def test_a_server_writes_nothing_but_json_when_told_to(tmp_path):
    with Server(tmp_path, PREBRUSH_SERVER_LOG_FORMAT="json", PREBRUSH_SERVER_LOG_LEVEL="debug") as server:
        server.ask("GET", "/unknown", headers={"X-Request-ID": "mine"})
        server.ask("POST", "/predict", json=body_of(["/data/upload/none.png"]))
        assert server.ask("GET", "/ready").json()["status"] == "READY"
        server.stop()
    lines = [line for line in server.lines if not line.startswith(("prebrush is ready", "  "))]
    contents = [json.loads(line) for line in lines]
    (mine,) = [content for content in contents if content.get("path") == "/unknown"]
    assert (mine["request_id"], mine["status"], mine["method"]) == ("mine", 404, "GET")
    assert any("task 0" in content["message"] and content["request_id"] for content in contents)
