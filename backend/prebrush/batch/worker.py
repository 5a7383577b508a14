"""A worker: takes chunks from the queue, one after the other, until it is told to stop."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any

from redis.exceptions import RedisError
from rq import Retry, SimpleWorker
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from prebrush.batch.board import Board, BoardJournal, ChunkLost
from prebrush.batch.labelling import Labelled, Labeller
from prebrush.batch.queue import ChunkJob, ChunkQueue, connect, translated
from prebrush.batch.run import ProjectRun, plan_run
from prebrush.batch.studio import open_project
from prebrush.batch.uploading import Uploader
from prebrush.errors import ConfigError, PrebrushError
from prebrush.settings import Settings
from prebrush.standing import LEASE_S

logger = logging.getLogger(__name__)

SIGN_EVERY_S = 5.0
LOOK_EVERY_S = 10
"""How often an idle worker looks for chunks of the dead, and for room in the queue."""


class Unfit(PrebrushError):
    """Raised in a worker that cannot do what the others do; it hands its chunk back and ends."""


class ChunkWorker(SimpleWorker):
    """RQ's worker, in one process that keeps its kernels and connections warm, and that gives signs while it works."""

    job_class = ChunkJob

    def __init__(self, queue: ChunkQueue, settings: Settings) -> None:
        super().__init__(
            [queue.rq],
            connection=queue.client,
            job_class=ChunkJob,
            serializer=JSONSerializer,
            maintenance_interval=LOOK_EVERY_S,
            worker_ttl=LOOK_EVERY_S + 15,
            job_monitoring_interval=LEASE_S,
            log_job_description=False,
        )
        self.log_result_lifespan = False
        self.stop = threading.Event()
        self.unfit = ""
        self._chunks = queue
        self._settings = settings
        self._bench: _Bench | None = None

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """End after what is under way: a chunk is not finished, but handed back."""
        self.stop.set()
        request: Any = super().request_stop  # it has no types
        request(signum, frame)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002  RQ's signature
        """Return the seconds until this worker is taken for dead."""
        return LEASE_S

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Do a job, giving signs of life meanwhile."""
        global _current  # noqa: PLW0603  RQ's jobs are plain functions; the process has one worker
        _current = self
        with self._signs(job, execution):
            return super().perform_job(job, queue, execution)

    def run_maintenance_tasks(self) -> None:
        """Take over the chunks of the dead, and fill the queue where nobody else did."""
        maintain: Any = super().run_maintenance_tasks  # it has no types
        maintain()
        for board in Board.all(self._chunks.client):
            self._chunks.feed(board)

    @contextmanager
    def _signs(self, job: Job, execution: Execution) -> Iterator[None]:
        done = threading.Event()

        def sign() -> None:
            while not done.wait(SIGN_EVERY_S):
                with suppress(RedisError):
                    self.maintain_heartbeats(job, execution)

        thread = threading.Thread(target=sign, name="prebrush-signs", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def work_chunk(self, board: Board, number: int) -> Retry | None:
        """Predict and upload a chunk."""
        bench = self._bench_for(board)
        chunk = board.plan.chunk(number)
        journal = BoardJournal(board, f"{self.name}-{time.monotonic_ns()}")
        board.own(number, journal.owner)
        uploader = Uploader(bench.run.project, bench.run.version, journal)
        to_show = board.wanted_previews(number)

        def see(labelled: Labelled) -> None:
            nonlocal to_show
            if labelled.entry is not None and to_show:
                to_show -= 1
                with suppress(PrebrushError):
                    board.show(labelled.task.id, bench.run.preview(labelled.task))

        started = time.monotonic()
        outcome = bench.run.work(chunk, bench.labeller, uploader, see)
        uploader.remove_doubles()
        logger.info(
            "project %d, tasks %s: %d predicted, %d failed in %.1f s",
            board.plan.project,
            chunk.key,
            outcome.done,
            outcome.failed,
            time.monotonic() - started,
        )
        if self.stop.is_set():
            # what has failed is tried again with the rest
            outcome.failed, outcome.failures = 0, []
            board.count(outcome)
            return Retry(max=10_000)
        if not board.is_finished(number):
            board.count(outcome)
        board.finish(number)
        self._chunks.feed(board)
        return None

    def _bench_for(self, board: Board) -> "_Bench":
        """Return what a run needs on this machine; it is kept until another run comes."""
        if self._bench is None or self._bench.run_id != board.plan.id:
            if self._bench is not None:
                self._bench.close()
                self._bench = None
            self._bench = _Bench(self._settings, board, self.stop)
        return self._bench


class _Bench:
    """Project, plan and threads for the chunks of one run."""

    def __init__(self, settings: Settings, board: Board, stop: threading.Event) -> None:
        plan = board.plan
        self.run_id = plan.id
        with ExitStack() as opened:
            self.project = open_project(settings, plan.project)
            opened.callback(self.project.close)
            self.run = plan_run(settings, self.project, only_missing=plan.only_missing)
            opened.callback(self.run.close)
            _check_same(self.run, board)
            self._opened = opened.pop_all()
        self.labeller = Labeller(self.run.predict, self.run.predictor.threads, stop)

    def close(self) -> None:
        self.labeller.close()
        self._opened.close()


def _check_same(run: ProjectRun, board: Board) -> None:
    """Refuse to mix predictions of two kinds in one run."""
    if run.project.key != board.plan.key:
        raise Unfit(f"this worker's LABEL_STUDIO_URL leads to another Label Studio, with a project {run.project.key}")
    if run.version != board.plan.version:
        raise Unfit(
            f"this worker would predict {run.version}, and the run is for {board.plan.version}: its settings or its "
            "version of prebrush are not those of the others, or the project's labeling was changed"
        )


_current: ChunkWorker | None = None


def work_chunk(run: str, number: int, tries_left: int) -> Retry | None:
    """Do the work of a job.

    Raises
    ------
    PrebrushError
        It cannot be done; RQ tries again, here or elsewhere.
    """
    worker = _current
    if worker is None:
        raise PrebrushError("chunks are worked on by `prebrush worker` alone")
    board = Board.load(worker.connection, run)
    if board is None:
        logger.info("a chunk of a run that is forgotten is passed over")
        return None
    try:
        return worker.work_chunk(board, number)
    except ChunkLost as error:
        logger.warning("%s", error)
        return None
    except (Unfit, ConfigError) as error:
        # to the next worker: this one would spoil chunk after chunk
        worker.unfit = str(error)
        worker.stop.set()
        worker._stop_requested = True
        return Retry(max=10_000)
    except PrebrushError as error:
        logger.warning("chunk %d, %d tries left: %s", number, tries_left, error)
        raise


def run_worker(settings: Settings, *, burst: bool = False) -> None:
    """Work until told to stop; with `burst`, until the queue is empty.

    Raises
    ------
    ConfigError
        There is no Redis that workers could meet in.
    PrebrushError
        This worker differs from the others, or Redis does not answer.
    """
    client = connect(settings)
    # a line for every request, with the whole query in it
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with translated():
        client.ping()
        worker = ChunkWorker(ChunkQueue(client), settings)
        logger.info("ready for the runs of `prebrush prelabel --queue`")
        worker.work(burst=burst, logging_level="WARNING")
    if worker.unfit:
        raise PrebrushError(worker.unfit)
    logger.info("ended")
    client.close()
