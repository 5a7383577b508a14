"""A server that is told to stop answers what is under way in time, and keeps what it acknowledged."""

import signal
import threading
import time

import numpy as np
import pytest

from redis_servers import wait_until
from servers import Server

from .conftest import CONFIG, write_image
from .test_load import body_of, connect, metric

SETUP = {"project": "1.1", "schema": CONFIG, "hostname": "", "access_token": "", "extra_params": {"method": "kmeans"}}


@pytest.fixture
def long_batch(file_server):
    """More work than a server does before it is killed."""
    rng = np.random.default_rng(0)
    for number in range(60):
        write_image(file_server.folder / f"data/upload/{number}.png", rng.integers(0, 256, (500, 600, 3), np.uint8))
    return body_of([f"/data/upload/{number % 60}.png" for number in range(1200)])


def test_a_batch_is_handed_back_in_time_and_what_was_acknowledged_is_there(tmp_path, long_batch, file_server):
    answers = []
    environ = {"LABEL_STUDIO_URL": file_server.url, "PREBRUSH_SERVER_JOBS": "1", "PREBRUSH_SERVER_STOP_WITHIN_S": "6"}
    with Server(tmp_path, **environ) as server:
        version = server.ask("POST", "/setup", json=SETUP).json()["model_version"]
        batch = threading.Thread(target=lambda: answers.append(server.ask("POST", "/predict", json=long_batch)))
        batch.start()
        wait_until(lambda: metric(server, "prebrush_tasks_unfinished") > 100)
        time.sleep(1)
        kept_alive = connect(server)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(40) == 0, server.log
        took_s = time.monotonic() - started
        kept_alive.close()
        batch.join()
    assert took_s < 12
    assert answers[0].status == 200
    results = answers[0].json()["results"]
    assert len(results) == 1200
    assert any(results)
    assert not all(results)
    assert "Traceback" not in server.log
    with Server(tmp_path) as server:
        assert server.ask("GET", "/versions").json()["versions"] == [version]


def test_clients_that_send_nothing_more_do_not_keep_it(tmp_path):
    with Server(tmp_path) as server:
        silent = [connect(server) for _ in range(40)]
        for one in silent[:20]:
            one.sendall(b"POST /setup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        assert server.ask("GET", "/health").status == 200
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 12
        for one in silent:
            one.close()
