"""Whole projects: one process against 1, 2 and 4 workers, and a queue that is fed a million chunks.

Label Studio is a stand-in on the same machine, so that what is measured is prebrush, Redis and the network stack.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bench.harness import Row, WrongResultError
from prebrush.batch.board import Board
from prebrush.batch.queue import ChunkQueue, connect
from prebrush.batch.queued_run import begin_or_go_on, count_workers, stand
from prebrush.batch.run import plan_run
from prebrush.batch.studio import open_project
from prebrush.settings import Settings, load_settings
from tests.redis_servers import RedisServer, redis_server
from tests.studio_stub import CONFIG, StudioStub

TASKS = 400
SIDE = 700
"""Half a megapixel."""
CHUNKS = int(os.environ.get("BENCH_CHUNKS", "1000000"))
FED_AT_ONCE = 5000


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name) / "redis") as server:
        label_config = CONFIG.replace('model_method="threshold"', 'model_method="kmeans"')
        stub = StudioStub(TASKS, SIDE, label_config)
        for task in stub.tasks:
            stub.image(task)
        environ = {**stub.environment(), "PREBRUSH_STORAGE_URL": server.url}
        shown = f"{TASKS} tasks, {SIDE}x{SIDE}, kmeans"
        here = Crew(Path(name), environ, stub)
        yield Row("one process, threads", shown, here.label_here, rate, rounds=1)
        for count in (1, 2, 4):
            crew = Crew(Path(name), environ, stub)
            yield Row(
                f"{count} worker processes", shown, lambda crew=crew, count=count: crew.label(count), rate, rounds=1
            )
        stub.stop()
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name) / "redis") as server:
        yield Row("feeding the queue", f"{CHUNKS:,} chunks at once", lambda: feed(server), describe_feed, rounds=1)


class Crew:
    """Workers that are started, given the project anew, and stopped."""

    def __init__(self, folder: Path, environ: dict[str, str], stub: StudioStub) -> None:
        self.folder, self.environ, self.stub = folder, {**os.environ, **environ}, stub

    def label_here(self) -> float:
        """Do the project in one process; return tasks a second."""
        self.stub.predictions.clear()
        command = [sys.executable, "-m", "prebrush", "prelabel", "--project", "7", "--json"]
        done = subprocess.run(command, cwd=self.folder, env=self.environ, capture_output=True, check=True)
        return TASKS / json.loads(done.stdout)["seconds"]

    def label(self, count: int) -> float:
        """Have so many workers do the project, once they are warm; return tasks a second."""
        self.stub.predictions.clear()
        settings = load_settings(environ=self.environ)
        with self._workers(count), closing(connect(settings)) as client:
            while count_workers(client) < count:
                time.sleep(0.1)
            with closing(open_project(settings, 7)) as project, closing(_plan(settings, project)) as run:
                board = begin_or_go_on(client, run)
                started = time.perf_counter()
                while not stand(client, board).is_over:
                    time.sleep(0.05)
                seconds = time.perf_counter() - started
        if set(self.stub.count_by_task().values()) != {1}:
            raise WrongResultError("a task has none or several predictions")
        return TASKS / seconds

    @contextmanager
    def _workers(self, count: int) -> Iterator[None]:
        command = [sys.executable, "-m", "prebrush", "worker"]
        workers = [subprocess.Popen(command, cwd=self.folder, env=self.environ) for _ in range(count)]
        try:
            yield
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait()


def _plan(settings: Settings, project: Any) -> Any:
    return plan_run(settings, project, only_missing=False)


def rate(ours: Any, _: Any) -> str:
    return f"{ours:.1f} tasks/s"


@cache
def feed(server: RedisServer) -> dict[str, float]:
    """Put a run of very many chunks into the queue, without a bound, and measure Redis; once, as it takes minutes."""
    facts: dict[str, Any] = {"project": 7, "key": "7.1", "title": "", "version": "v", "only_missing": False}
    facts |= {"first": 1, "last": 50 * CHUNKS, "total": 50 * CHUNKS, "width": 50, "wanted": 50 * CHUNKS}
    with closing(server.client()) as client:
        empty = client.info("memory")["used_memory"]
        board = Board.create(client, **facts)
        queue = ChunkQueue(client)
        started = time.perf_counter()
        queue.most_queued = FED_AT_ONCE
        while queue.feed(board):
            queue.most_queued += FED_AT_ONCE
        seconds = time.perf_counter() - started
        full = client.info("memory")["used_memory"]
        if queue.rq.count != CHUNKS:
            raise WrongResultError(f"{queue.rq.count} chunks are queued")
        client.flushdb()
        threads = [threading.Thread(target=_finish, args=(server, board, place)) for place in range(2)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        finishing = time.perf_counter() - began
        kept = client.info("memory")["used_memory"]
        return {
            "rate": CHUNKS / seconds,
            "bytes": (full - empty) / CHUNKS,
            "finish_rate": len(threads) * 5000 / finishing,
            "kept": max(0, kept - empty),
        }


def _finish(server: RedisServer, board: Board, place: int) -> None:
    with closing(server.client()) as client:
        own = Board(client, board.plan)
        for number in range(5000):
            own.finish(CHUNKS - 1 - 2 * number - place)


def describe_feed(ours: Any, _: Any) -> str:
    return (
        f"{ours['rate']:,.0f} chunks/s fed, {ours['bytes']:,.0f} bytes of Redis each; {ours['finish_rate']:,.0f} "
        f"chunks/s noted as finished; afterwards the run itself takes {ours['kept'] / 1e6:.1f} MB"
    )
