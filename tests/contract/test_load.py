"""Many at once, slow ones, and ones that go away, against a real server process."""

import base64
import contextlib
import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from redis_servers import wait_until
from servers import Server

from .conftest import CONFIG, draw_discs, write_image

SLOW_CLIENTS = 40


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One server, with threads and cores as they are by default on a small machine."""
    with Server(tmp_path_factory.mktemp("load"), PREBRUSH_SERVER_JOBS="2") as server:
        yield server


def data_url(pixels: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()


def body_of(images: list[str], *, click: bool = False) -> dict:
    mark = {"value": {"x": 25.0, "y": 33.0, "keypointlabels": ["Object"]}, "type": "keypointlabels"}
    context = {"result": [{**mark, "to_name": "image", "is_positive": True}]} if click else None
    tasks = [{"id": number, "data": {"image": image}} for number, image in enumerate(images)]
    return {"tasks": tasks, "project": "1.1", "label_config": CONFIG, "params": {"context": context}}


def connect(server: Server) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def metric(server: Server, name: str) -> float:
    text = server.ask("GET", "/metrics").data.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def seconds(call) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


def click(server: Server) -> int:
    answer = server.ask("POST", "/predict", json=body_of([data_url(draw_discs())], click=True))
    assert answer.status == 200, answer.data
    assert answer.json()["results"][0]["result"]
    return answer.status


def test_too_many_at_once_are_told_to_come_back(served):
    def ask(number: int):
        answer = served.ask("POST", "/predict", json=body_of([data_url(np.roll(draw_discs(), number, axis=1))]))
        assert answer.status == 200 or int(answer.headers["Retry-After"]) > 0
        assert answer.status == 503 or answer.json()["results"][0]["result"]
        return answer.status

    with ThreadPoolExecutor(200) as people:
        answers = people.map(ask, range(200))
        slowest_s = max(seconds(lambda: served.ask("GET", "/health")) for _ in range(5))
        statuses = Counter(answers)
    assert set(statuses) <= {200, 503}
    # as many as there is room for are served whatever else comes
    assert statuses[200] >= 28
    assert slowest_s < 3
    assert click(served) == 200


@pytest.mark.parametrize("stage", ["nothing", "head", "body", "200 KB a second"])
def test_slow_clients_hold_no_threads(served, stage):
    body = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n{"
    head = b"POST /setup HTTP/1.1\r\nHost: localhost\r\nX-"
    sent = {"nothing": b"", "head": head}.get(stage, body)
    more = b"x" * (10_000 if stage == "200 KB a second" else 1)
    clients = [connect(served) for _ in range(SLOW_CLIENTS)]
    over = threading.Event()

    def dribble() -> None:
        while not over.wait(0.05):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(more)

    for one in clients:
        one.sendall(sent)
    slow = threading.Thread(target=dribble)
    if stage != "nothing":
        slow.start()
    try:
        # once they hold every thread, the next one waits for as long as they have then
        times = [seconds(lambda: served.ask("GET", "/health")) for _ in range(5)]
        assert max(times) < 1, times
        assert click(served) == 200
    finally:
        over.set()
        if stage != "nothing":
            slow.join()
        for one in clients:
            one.close()


def test_a_body_that_stops_is_answered_408(served):
    with connect(served) as one:
        one.sendall(b"POST /setup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        answer = b""
        while not answer.endswith(b"}\n"):
            chunk = one.recv(65536)
            assert chunk, answer
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["error"] == "request_timeout"


def test_a_large_body_at_an_ordinary_pace_is_no_slow_client(served):
    content = json.dumps({"action": "X", "junk": "x" * 3_000_000}).encode()
    with connect(served) as one:
        one.sendall(b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
        one.sendall(f"Content-Length: {len(content)}\r\n\r\n".encode())
        for start in range(0, len(content), 100_000):
            one.sendall(content[start : start + 100_000])
            time.sleep(0.02)
        assert one.recv(65536).startswith(b"HTTP/1.1 201 ")


def test_clicks_are_answered_while_a_large_batch_runs(served):
    images = [data_url(np.roll(draw_discs(240, 320), number, axis=1)) for number in range(50)]
    # as many tasks as people select at once, of fewer images
    body = body_of([images[number % 50] for number in range(5000)])
    answers = []
    batch = threading.Thread(target=lambda: answers.append(served.ask("POST", "/predict", json=body)))
    batch.start()
    wait_until(lambda: metric(served, "prebrush_tasks_unfinished") > 100)
    times = sorted(seconds(lambda: click(served)) for _ in range(10))
    assert times[-1] < 5, times
    assert seconds(lambda: served.ask("GET", "/health")) < 1
    batch.join()
    assert answers[0].status == 200
    assert len(answers[0].json()["results"]) == 5000


def test_a_client_that_hangs_up_is_worked_for_no_longer(tmp_path):
    rng = np.random.default_rng(0)
    images = [data_url(rng.integers(0, 256, (900, 1200, 3), np.uint8)) for _ in range(12)]
    with Server(tmp_path, PREBRUSH_SERVER_JOBS="1") as server:
        clients = []
        for image in images:
            content = json.dumps(body_of([image])).encode()
            one = connect(server)
            one.sendall(f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n".encode())
            one.sendall(content)
            clients.append(one)
        wait_until(lambda: metric(server, "prebrush_tasks_unfinished") > 3)
        for one in clients:
            one.close()
        wait_until(lambda: metric(server, "prebrush_tasks_unfinished") == 0)
        segmented = metric(server, 'prebrush_stage_seconds_count{method="auto",stage="segment"}')
        assert segmented < len(images) - 2
        assert metric(server, 'prebrush_tasks_total{outcome="abandoned"}') > 2
        server.stop()
    assert "abandoned: the client hung up" in server.log
    assert "Traceback" not in server.log


def test_the_same_task_asked_for_of_two_servers_is_segmented_once(tmp_path, file_server):
    write_image(file_server.folder / "data/upload/large.png", np.tile(draw_discs(), (6, 6, 1)))
    body = body_of(["/data/upload/large.png"])
    shared = {"PREBRUSH_STORAGE_URL": f"sqlite:///{tmp_path}/shared", "LABEL_STUDIO_URL": file_server.url}
    (tmp_path / "other").mkdir()
    with Server(tmp_path, **shared) as first, Server(tmp_path / "other", **shared) as second:
        with ThreadPoolExecutor(6) as people:
            answers = list(people.map(lambda server: server.ask("POST", "/predict", json=body), [first, second] * 3))
        results = [answer.json()["results"][0]["result"] for answer in answers]
        assert results[0]
        assert all(result == results[0] for result in results)
        runs = sum(
            metric(server, 'prebrush_stage_seconds_count{method="auto",stage="segment"}') for server in (first, second)
        )
    assert runs == 1
