"""How runs stand is seen from anywhere: in the metrics of every server on the same Redis."""

from collections.abc import Iterator

import pytest
import redis
from rq import SimpleWorker

from prebrush.batch.queue import ChunkQueue
from prebrush.batch.run import Outcome
from prebrush.settings import load_settings
from prebrush.standing import count_workers
from prebrush.web import create_app

from .runs import create_run


@pytest.fixture
def client(server) -> Iterator[redis.Redis]:
    client = server.client()
    yield client
    client.close()


def figures_of(app) -> dict[str, float]:
    lines = app.test_client().get("/metrics").text.splitlines()
    ours = ("prebrush_workers ", "prebrush_chunks_", "prebrush_run_tasks")
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith(ours)}


def test_any_server_shows_queue_workers_and_runs(client, server):
    app = create_app(load_settings(environ={"PREBRUSH_STORAGE_URL": server.url}))
    assert figures_of(app) == {"prebrush_workers": 0, "prebrush_chunks_waiting": 0, "prebrush_chunks_running": 0}
    board = create_run(client, 500, wanted=480)
    queue = ChunkQueue(client, most_queued=4)
    queue.feed(board)
    board.count(Outcome(48, 2, [(1, "gone")]))
    worker = SimpleWorker([queue.rq], connection=client)
    worker.register_birth()
    assert figures_of(app) == {
        "prebrush_workers": 1,
        "prebrush_chunks_waiting": 4,
        "prebrush_chunks_running": 0,
        'prebrush_run_tasks{kind="wanted",project="7.1"}': 480,
        'prebrush_run_tasks{kind="done",project="7.1"}': 48,
        'prebrush_run_tasks{kind="failed",project="7.1"}': 2,
    }
    server.stop()
    assert figures_of(app) == {}


def test_a_worker_without_a_sign_of_life_is_not_counted(client):
    worker = SimpleWorker([ChunkQueue(client).rq], connection=client)
    worker.register_birth()
    assert count_workers(client) == 1
    longer = worker.last_heartbeat.replace(year=worker.last_heartbeat.year - 1)
    client.hset(worker.key, "last_heartbeat", longer.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    assert count_workers(client) == 0
