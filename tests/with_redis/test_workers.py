"""Workers on a real Redis: every task once, whoever dies; nothing is lost, nothing runs that is not a chunk."""

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import redis
from rq import Callback, Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from prebrush.batch.board import Board, BoardJournal, ChunkLost
from prebrush.batch.queue import ChunkQueue, connect
from prebrush.batch.queued_run import begin_or_go_on, stand
from prebrush.batch.run import Outcome, plan_run
from prebrush.batch.studio import open_project
from prebrush.errors import ConfigError
from prebrush.settings import load_settings
from redis_servers import free_port, wait_until
from studio_stub import CREATED, StudioStub

from .runs import create_run

QUICK = """
from prebrush.batch import uploading, worker
worker.LEASE_S, worker.SIGN_EVERY_S, worker.LOOK_EVERY_S, uploading.SETTLE_S = 3, 0.5, 1, 2.0
from prebrush.cli import main
main()
"""
"""The command, with less patience than real machines deserve."""
PROJECT_KEY = f"7.{int(datetime.fromisoformat(CREATED).timestamp())}"


@pytest.fixture
def stub() -> Iterator[StudioStub]:
    stub = StudioStub(tasks=300)
    yield stub
    stub.stop()


@pytest.fixture
def client(server) -> Iterator[redis.Redis]:
    client = server.client()
    yield client
    client.close()


class Machine:
    """What a test starts, all with the same Redis and Label Studio; nothing of it outlives the test."""

    def __init__(self, folder: Path, url: str, stub: StudioStub) -> None:
        self.folder = folder
        self.environ = {**os.environ, **stub.environment(), "PREBRUSH_STORAGE_URL": url}
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *arguments: object, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", QUICK, *map(str, arguments)],
            cwd=self.folder,
            env={**self.environ, **environ},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    def prelabel(self, *arguments: object) -> dict:
        process = self.start("prelabel", "--project", 7, "--queue", "--json", *arguments)
        output, errors = process.communicate(timeout=90)
        assert process.returncode in {0, 1}, errors
        return json.loads(output)


@pytest.fixture
def machine(tmp_path, server, stub) -> Iterator[Machine]:
    machine = Machine(tmp_path, server.url, stub)
    yield machine
    for process in machine.processes:
        process.kill()
        process.communicate()


def test_two_workers_do_a_project_once(machine, stub, client):
    stub.broken = {13}
    workers = [machine.start("worker") for _ in range(2)]
    facts = machine.prelabel()
    assert (facts["done"], facts["skipped"], facts["failed"]) == (299, 0, 1)
    ((task, reason),) = [(each["task"], each["reason"]) for each in facts["failures"]]
    assert task == 13
    assert "404" in reason
    counts = stub.count_by_task()
    assert {task: count for task, count in counts.items() if count != 1} == {13: 0}
    assert (machine.folder / "prelabel-7/index.html").read_text().count("data:image/jpeg") > 3
    # what is known of it anywhere
    status = machine.start("prelabel", "--project", 7, "--status", "--json")
    (standing,) = json.loads(status.communicate(timeout=60)[0])
    assert (standing["done"], standing["failed"], standing["queued"], standing["workers"]) == (299, 1, 0, 2)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    # again: a new run, which has only the failed one to do
    stub.broken = set()
    machine.start("worker", "--burst")
    assert machine.prelabel()["done"] == 1
    assert set(stub.count_by_task().values()) == {1}


def test_a_worker_killed_in_the_middle_of_a_chunk_is_replaced(machine, stub):
    victim = machine.start("worker")
    killed = []

    def kill(_: list[int]) -> bool:
        # stored, and the worker dies before it hears so
        if not killed:
            killed.append(time.monotonic())
            victim.send_signal(signal.SIGKILL)
        return True

    stub.after_upload = kill
    command = machine.start("prelabel", "--project", 7, "--queue", "--json")
    wait_until(lambda: bool(killed), patience_s=60)
    assert victim.wait(20) == -signal.SIGKILL
    machine.start("worker")
    facts = json.loads(command.communicate(timeout=90)[0])
    assert (facts["done"], facts["failed"]) == (300, 0)
    assert set(stub.count_by_task().values()) == {1}


def test_a_worker_that_is_stopped_hands_its_chunk_back(machine, stub, client):
    worker = machine.start("worker")
    told: list[object] = []
    stub.after_upload = lambda _: told or told.append(worker.send_signal(signal.SIGTERM)) or True
    command = machine.start("prelabel", "--project", 7, "--queue", "--json")
    assert worker.wait(60) == 0
    assert 0 < len(stub.predictions) < 300
    machine.start("worker")
    assert json.loads(command.communicate(timeout=90)[0])["done"] == 300
    assert set(stub.count_by_task().values()) == {1}


def test_a_worker_with_other_settings_does_no_harm(machine, stub):
    command = machine.start("prelabel", "--project", 7, "--queue", "--json")
    odd = machine.start("worker", PREBRUSH_DEFAULT_REGIONS='{"max": 2}')
    _, errors = odd.communicate(timeout=60)
    assert odd.returncode == 1
    assert "this worker would predict prebrush-threshold-" in errors
    assert stub.predictions == []
    machine.start("worker")
    assert json.loads(command.communicate(timeout=90)[0])["done"] == 300
    assert set(stub.count_by_task().values()) == {1}


def test_who_stops_watching_stops_nothing(machine, stub):
    command = machine.start("prelabel", "--project", 7, "--queue")
    client = redis.Redis.from_url(machine.environ["PREBRUSH_STORAGE_URL"], protocol=2)
    wait_until(lambda: ChunkQueue(client).rq.count == 6, patience_s=60)
    time.sleep(0.5)
    command.send_signal(signal.SIGINT)
    output, errors = command.communicate(timeout=30)
    assert command.returncode == 130
    assert "0 predicted" in output
    assert "0 failed" in output
    assert "the workers go on" in errors
    assert ChunkQueue(client).rq.count == 6
    client.close()


def test_the_queue_is_bounded_and_fed_once(client):
    board = create_run(client, 5000)
    queue = ChunkQueue(client, most_queued=30)
    assert queue.feed(board) == 30
    assert queue.feed(board) == 0
    assert queue.rq.count == 30
    seen = []
    while queue.rq.count:
        for id_ in queue.rq.get_job_ids(length=7):
            queue.rq.remove(id_)
            seen.append(id_)
        queue.feed(board)
        assert queue.rq.count <= 30
    assert seen == [f"{board.plan.id}-{number}" for number in range(100)]


def test_only_what_can_be_had_again_may_be_evicted(client):
    board = create_run(client, 100)
    ChunkQueue(client).feed(board)
    board.own(0, "me")
    BoardJournal(board, "me").begin("1-50", [1])
    board.count(Outcome(48, 2, [(1, "gone")]))
    board.finish(0)
    assert {client.ttl(key) for key in client.keys("*")} == {-1}
    board.finish(1)
    assert client.ttl(board.state_key) > 0


def test_a_changed_method_forgets_the_chunks_of_the_run_before(machine, stub, client):
    earlier = create_run(client, 5000, key=PROJECT_KEY, version="prebrush-kmeans-00000000")
    ChunkQueue(client).feed(earlier)
    worker = machine.start("worker")
    assert machine.prelabel()["done"] == 300
    assert worker.poll() is None
    assert set(stub.count_by_task().values()) == {1}
    assert Board.load(client, earlier.plan.id) is None
    # what a worker still had in hand of it leaves no trace
    earlier.count(Outcome(1))
    earlier.finish(1)
    assert not client.keys(f"*{earlier.plan.id}*")


def test_a_chunk_that_was_given_up_is_remembered_until_it_is_tried_again(client):
    board = create_run(client, 5000)
    queue = ChunkQueue(client)
    queue.feed(board)
    job = queue.rq.fetch_job(f"{board.plan.id}-3")
    queue.rq.remove(job)
    FailedJobRegistry(queue=queue.rq, job_class=type(job)).add(job, ttl=job.failure_ttl, exc_string="a: b")
    assert client.ttl(job.key) == -1
    assert [number for number, _ in queue.given_up(board)] == [3]
    queue.forget(board)
    assert list(queue.given_up(board)) == []
    assert not client.exists(job.key)


def test_chunks_count_once(client):
    board = create_run(client, 5000)
    for _ in range(2):
        board.finish(3)
    board.count(Outcome(48, 2, [(1, "gone"), (2, "gone")]))
    progress = board.progress()
    assert (progress.finished, progress.done, progress.failed) == (1, 48, 2)
    assert board.is_finished(3)
    assert not board.is_finished(4)
    assert Board.load(client, board.plan.id).failures() == [(1, "gone"), (2, "gone")]


def test_a_chunk_that_was_taken_over_is_not_uploaded_by_the_first(client):
    board = create_run(client, 5000)
    board.own(0, "first")
    first, second = BoardJournal(board, "first"), BoardJournal(board, "second")
    first.begin("1-50", [1, 2])
    board.own(0, "second")
    with pytest.raises(ChunkLost):
        first.begin("1-50", [1, 2])
    assert second.pending()["1-50"].tasks == (1, 2)
    second.begin("1-50", [2])
    second.end("1-50")
    assert first.pending() == {}


def test_what_lies_in_redis_is_json_and_no_secret(client, stub, server):
    settings = load_settings(environ={**stub.environment(), "PREBRUSH_STORAGE_URL": server.url})
    project = open_project(settings, 7)
    run = plan_run(settings, project, only_missing=False)
    board = begin_or_go_on(client, run)
    assert begin_or_go_on(client, run).plan == board.plan
    assert stand(client, board).queued == 12 // 2
    everything = b""
    for key in client.keys("*"):
        kind = client.type(key)
        if kind == b"hash":
            everything += b"".join(client.hgetall(key).values())
        elif kind == b"string":
            everything += client.get(key)
        elif kind == b"list":
            everything += b"".join(client.lrange(key, 0, -1))
    assert stub.environment()["LABEL_STUDIO_API_KEY"].encode() not in everything
    data = client.hget(f"rq:job:{board.plan.id}-0", "data")
    assert json.loads(zlib.decompress(data)) == ["prebrush.batch.worker.work_chunk", None, [], {}]
    run.close()
    project.close()


def test_a_job_of_somebody_else_is_not_run(machine, client, tmp_path):
    harm = tmp_path / "harm"
    queue = Queue("prebrush", connection=client, serializer=JSONSerializer)
    queue.enqueue("os.system", f"touch {harm}", on_failure=Callback("os.abort"), on_success=Callback("os.abort"))
    queue.enqueue("os.system", f"touch {harm}", job_id="0123456789ab-0")
    worker = machine.start("worker", "--burst")
    _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 0, errors
    assert not harm.exists()


@pytest.mark.parametrize(
    ("url", "words"), [("sqlite:///data", "redis://host"), ("redis+cluster://a,b", "cluster"), ("", "redis://host")]
)
def test_without_a_redis_that_serves_the_error_says_so(url, words):
    with pytest.raises(ConfigError, match=words):
        connect(load_settings(environ={"PREBRUSH_STORAGE_URL": url} if url else {}))


def test_a_redis_that_is_away_or_wants_another_password_is_told_in_a_line(server, machine):
    commands = [("worker",), ("prelabel", "--project", 7, "--queue"), ("prelabel", "--project", 7, "--status")]
    wrong = server.url.replace("//", "//:wrong@")
    for url, words in ((wrong, "refuses the user or the password"), (f"redis://127.0.0.1:{free_port()}", "refused")):
        running = [machine.start(*command, PREBRUSH_STORAGE_URL=url) for command in commands]
        for process in running:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 1
            last = errors.splitlines()[-1]
            assert last.startswith("prebrush: the Redis of storage.url")
            assert words in last
    check = machine.start("check", PREBRUSH_STORAGE_URL=wrong)
    assert "right user and password" in check.communicate(timeout=60)[0]
