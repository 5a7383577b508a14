"""Chunks handed to workers through RQ: never more in the queue than it is to hold, none lost, each counted once.

Everything is JSON. What a job asks for is not taken from Redis but is always the work on one chunk: whoever can write
to Redis could otherwise have workers run what they like.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.exceptions import AuthenticationError, RedisError, WatchError

from prebrush.batch.board import Board
from prebrush.errors import ConfigError, PrebrushError
from prebrush.settings import Settings
from prebrush.standing import QUEUE
from prebrush.storage.redis_url import Client, build_client

try:
    from rq import Queue, Retry
    from rq.exceptions import NoSuchJobError
    from rq.job import Job, JobStatus
    from rq.registry import FailedJobRegistry, StartedJobRegistry
    from rq.serializers import JSONSerializer
except ImportError as missing:
    raise ConfigError(
        "this needs RQ: pip install 'prebrush[workers]'; in a clone: "
        ".venv/bin/pip install -c constraints.txt -e '.[workers]'"
    ) from missing

WORK = "prebrush.batch.worker.work_chunk"
MOST_QUEUED = 500
"""Chunks that wait, of all runs: enough for hundreds of workers, and a few hundred kilobytes of Redis."""
TRIES = 5
"""Attempts at a chunk, deaths of workers included, before it is given up."""
CHUNK_WITHIN_S = 3600
"""A chunk that takes longer hangs."""

_JOB_ID = re.compile(r"(?P<run>[0-9a-f]{12})-(?P<number>\d{1,12})")


class ChunkJob(Job):
    """A job that can be nothing but the work on a chunk, whatever Redis says."""

    @property
    def place(self) -> tuple[str, int]:
        """The run and the number of the chunk, from the job's id.

        Raises
        ------
        PrebrushError
            It is another kind of job.
        """
        found = _JOB_ID.fullmatch(self.id)
        if found is None:
            raise PrebrushError("a job in the queue is not a chunk of a run")
        return found["run"], int(found["number"])

    def _execute(self) -> Any:
        """Do the work; the function's name in Redis is never looked up."""
        from prebrush.batch.worker import work_chunk  # noqa: PLC0415  the worker imports this module

        return work_chunk(*self.place, tries_left=self.retries_left or 0)

    @property
    def success_callback(self) -> None:
        """None: a name in Redis is not imported."""

    @property
    def failure_callback(self) -> None:
        """None, as above."""

    @property
    def stopped_callback(self) -> None:
        """None, as above."""

    def send_webhooks(self, status: str | JobStatus, *, exc_string: str | None = None) -> None:
        """Send none: an address in Redis is not asked."""


class ChunkQueue:
    """The queue of all runs.

    Parameters
    ----------
    client : redis client
    most_queued : int
    """

    def __init__(self, client: Client, most_queued: int = MOST_QUEUED) -> None:
        self.client = client
        self.most_queued = most_queued
        self.rq = Queue(QUEUE, connection=client, job_class=ChunkJob, serializer=JSONSerializer)

    def feed(self, board: Board) -> int:
        """Put further chunks of a run into the queue, as many as there is room for; return how many.

        Any number of machines may do this at once: the chunk that comes next is watched while chunks are added.
        """
        room = self.most_queued - self.rq.count
        if room <= 0:
            return 0
        try:
            with self.client.pipeline() as pipe:
                pipe.watch(board.next_key)
                first = int(pipe.get(board.next_key) or 0)
                numbers = range(first, min(first + room, board.plan.chunks))
                if not numbers:
                    return 0
                pipe.multi()
                self.add(board, numbers, pipe)
                pipe.set(board.next_key, numbers.stop, keepttl=True)
                pipe.execute()
        except WatchError:
            # another machine fed it at the same moment; the next call will do
            return 0
        return len(numbers)

    def add(self, board: Board, numbers: range, pipe: Any) -> None:
        """Put chunks into the queue."""
        self.rq.enqueue_many(
            [
                Queue.prepare_data(
                    WORK,
                    job_id=f"{board.plan.id}-{number}",
                    timeout=CHUNK_WITHIN_S,
                    result_ttl=0,
                    # until the run is gone on with or forgotten: it would never be over without them
                    failure_ttl=-1,
                    description="chunk",
                    retry=Retry(max=TRIES - 1),
                )
                for number in numbers
            ],
            pipeline=pipe,
        )

    def given_up(self, board: Board) -> Iterator[tuple[int, str]]:
        """Go through the chunks of a run that were given up, each with the last error."""
        for id_ in self._failed.get_job_ids():
            found = _JOB_ID.fullmatch(id_)
            if found and found["run"] == board.plan.id:
                try:
                    job = ChunkJob.fetch(id_, connection=self.client, serializer=JSONSerializer)
                    result = job.latest_result()
                except NoSuchJobError:
                    # tried again by another machine just now
                    continue
                last = (result.exc_string or "").strip().splitlines() if result else []
                yield int(found["number"]), (last or ["its worker died, again and again"])[-1]

    def try_again(self, board: Board) -> int:
        """Queue again what was given up of a run; return how many chunks that are."""
        numbers = [number for number, _ in self.given_up(board)]
        for number in numbers:
            self._failed.requeue(f"{board.plan.id}-{number}")
        return len(numbers)

    def forget(self, board: Board) -> None:
        """Forget a run in favour of the next one of its project."""
        for number, _ in self.given_up(board):
            self._failed.remove(f"{board.plan.id}-{number}", delete_job=True)
        board.forget()

    def running(self) -> int:
        """Count the chunks that are worked on, of all runs."""
        return int(StartedJobRegistry(queue=self.rq).count)

    @property
    def _failed(self) -> FailedJobRegistry:
        return FailedJobRegistry(queue=self.rq, job_class=ChunkJob)


def connect(settings: Settings) -> Client:
    """Connect to the Redis of the settings, for the queue.

    Raises
    ------
    ConfigError
        The storage is no Redis, or one that RQ cannot use.
    """
    url = settings.storage.url
    scheme = url.partition("://")[0]
    if not scheme.startswith("redis"):
        raise ConfigError(
            "workers meet in Redis: set storage.url (PREBRUSH_STORAGE_URL) to redis://host on all machines; without "
            "one, `prebrush prelabel` does the work here"
        )
    if scheme.endswith("+cluster"):
        raise ConfigError(
            "workers cannot meet in a Redis cluster: RQ's transactions touch keys of several nodes. Give storage.url a "
            "single Redis, or one behind sentinels"
        )
    build, _ = build_client(url)
    return build()


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of Redis into one of ours.

    Raises
    ------
    PrebrushError
        Redis does not answer, or not to us; the message says why.
    """
    try:
        yield
    except AuthenticationError as error:
        raise PrebrushError("the Redis of storage.url refuses the user or the password that stand in it") from error
    except RedisError as error:
        raise PrebrushError(f"the Redis of storage.url does not answer: {type(error).__name__}: {error}") from error
