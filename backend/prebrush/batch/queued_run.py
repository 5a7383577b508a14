"""A run that `prebrush worker` processes carry out: started or resumed, fed into the queue, watched and summed up."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError

from prebrush.batch.board import Board
from prebrush.batch.queue import ChunkQueue, translated
from prebrush.batch.run import MOST_KEPT, Outcome, Previews, ProjectRun
from prebrush.batch.sessions import Finished, Session
from prebrush.progress import LongProgress
from prebrush.standing import count_workers
from prebrush.storage.redis_url import Client

LOOK_EVERY_S = 1.0


class QueuedSession(Session):
    """A run of the command that has workers do it, and watches them; see `Session`."""

    def __init__(self, folder: Path, stop: threading.Event, client: Client, *, show: bool) -> None:
        super().__init__(folder, stop, show=show)
        self._client = client

    def label_project(self, run: ProjectRun) -> Finished:
        """Have workers do it, and watch them."""
        with translated():
            return self._label(run)

    def _label(self, run: ProjectRun) -> Finished:
        board = begin_or_go_on(self._client, run)
        plan = board.plan
        with LongProgress(f"project {plan.project}", plan.wanted, shown=self._show) as progress:

            def show(standing: Standing) -> None:
                words = f"{standing.workers} workers" if standing.workers else "no worker is running: prebrush worker"
                progress.set(standing.done, standing.failed, words)

            is_over = watch(self._client, board, self._stop, show)
        left = run.project.count(run.version, only_missing=run.only_missing) if is_over else None
        outcome = sum_up(board, ChunkQueue(self._client), left)
        previews = Previews(run.preview)
        previews.chosen = board.previews()
        return self._finish(
            f"Project {plan.project}: {plan.title}", plan.version, outcome, plan.total - plan.wanted, previews
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands, as anybody may ask.

    Attributes
    ----------
    project : int
    title, version : str
    wanted, done, failed : int
        Tasks.
    chunks, finished, given_up : int
        Chunks of the run.
    queued, running : int
        Chunks of all runs.
    workers : int
    seconds : float
        Since it began.
    """

    project: int
    title: str
    version: str
    wanted: int
    done: int
    failed: int
    chunks: int
    finished: int
    given_up: int
    queued: int
    running: int
    workers: int
    seconds: float

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.finished + self.given_up >= self.chunks


def begin_or_go_on(client: Client, run: ProjectRun) -> Board:
    """Return the run of this project and version that is not finished, else begin one.

    What was given up of it is tried again.
    """
    queue = ChunkQueue(client)
    for board in Board.all(client):
        plan = board.plan
        same = (plan.key, plan.version, plan.only_missing) == (run.project.key, run.version, run.only_missing)
        if same and board.progress().finished < plan.chunks:
            queue.try_again(board)
            queue.feed(board)
            return board
        if plan.key == run.project.key:
            # workers that met its chunks after the method was changed would take themselves for unfit
            queue.forget(board)
    span = run.project.span()
    board = Board.create(
        client,
        project=run.project.number,
        key=run.project.key,
        title=run.project.title,
        version=run.version,
        only_missing=run.only_missing,
        first=span.first,
        last=span.last,
        total=span.total,
        width=span.width(),
        wanted=run.project.count(run.version, only_missing=run.only_missing),
    )
    queue.feed(board)
    return board


def stand(client: Client, board: Board) -> Standing:
    """Ask Redis how a run stands."""
    queue, progress, plan = ChunkQueue(client), board.progress(), board.plan
    return Standing(
        project=plan.project,
        title=plan.title,
        version=plan.version,
        wanted=plan.wanted,
        done=progress.done,
        failed=progress.failed,
        chunks=plan.chunks,
        finished=progress.finished,
        given_up=sum(1 for _ in queue.given_up(board)),
        queued=queue.rq.count,
        running=queue.running(),
        workers=count_workers(client),
        seconds=max(0.0, time.time() - plan.started),
    )


def find_runs(client: Client, project: int) -> list[Board]:
    """Return the last run of every project of this number, of as many Label Studios."""
    return [board for board in Board.all(client) if board.plan.project == project]


def watch(client: Client, board: Board, stop: threading.Event, show: Callable[[Standing], None]) -> bool:
    """Feed the queue and show how the run stands until it is over; return False where that was stopped.

    The run goes on without this: workers feed the queue too.
    """
    queue = ChunkQueue(client)
    while not stop.is_set():
        # Redis may be started anew meanwhile; the run lies in it, if it keeps its data
        with suppress(RedisError):
            queue.feed(board)
            standing = stand(client, board)
            show(standing)
            if standing.is_over:
                return True
        stop.wait(LOOK_EVERY_S)
    return False


def sum_up(board: Board, queue: ChunkQueue, left: int | None) -> Outcome:
    """Tell what became of a run's tasks.

    Parameters
    ----------
    left : int or None
        Of a run that is over, tasks that Label Studio still has no prediction for. What a worker uploaded just before
        its death is counted by nobody else.
    """
    progress = board.progress()
    outcome = Outcome(progress.done, progress.failed, board.failures())
    if left is not None:
        outcome.done, outcome.failed = max(0, board.plan.wanted - left), left
    for number, reason in queue.given_up(board):
        if len(outcome.failures) < MOST_KEPT:
            outcome.failures.append((f"tasks {board.plan.chunk(number).key}", reason))
    return outcome
