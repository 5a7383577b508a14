"""What is known of a run by all machines: its plan, how far it is, which uploads are under way. It lies in Redis.

Chunks are numbers: a bit for each tells which are finished, so that a run of a million is a few hundred kilobytes.
"""

import json
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from prebrush.batch.chunks import Chunk, Span
from prebrush.batch.journal import Begun
from prebrush.batch.run import MOST_KEPT, PREVIEWS, Outcome
from prebrush.errors import PrebrushError
from prebrush.standing import RUNS, run_key
from prebrush.storage.redis_url import Client

KEPT_S = 30 * 86_400
"""How long a run is remembered after its end. Until then nothing of it has a time to live: a Redis that is full drops
what has one, and of a run that has lost its record nobody knows what was uploaded."""

_FINISH = """
if redis.call('HEXISTS', KEYS[1], 'plan') == 0 then return 0 end
if redis.call('SETBIT', KEYS[2], ARGV[1], 1) == 1 then return 0 end
return redis.call('HINCRBY', KEYS[1], 'finished', 1)
"""
"""Chunks may be done twice, but they count once; answers how many are finished now."""
_OWN = """
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""
"""Note that an upload begins, if the chunk is still one's own."""


class ChunkLost(PrebrushError):
    """Another worker has taken the chunk over: this one was taken for dead."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run is to do; the same for all machines.

    Attributes
    ----------
    id : str
        Of this run alone, so that jobs of an older one are known as such.
    project : int
    key : str
        The project by its full name, which a worker compares: its Label Studio might be another.
    title, version : str
    only_missing : bool
    first, last, total : int
        The span of its tasks.
    width : int
        Ids in a chunk.
    wanted : int
        Tasks to be done when it began.
    started : float
        Seconds since 1970.
    """

    id: str
    project: int
    key: str
    title: str
    version: str
    only_missing: bool
    first: int
    last: int
    total: int
    width: int
    wanted: int
    started: float

    @property
    def chunks(self) -> int:
        """How many chunks it has."""
        return Span(self.first, self.last, self.total).count_chunks(self.width)

    def chunk(self, number: int) -> Chunk:
        """Return a chunk by its number."""
        return Span(self.first, self.last, self.total).chunk(number, self.width)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int
    failed: int
    fed: int
    """Chunks that were put into the queue."""
    finished: int
    """Chunks that are done with."""


class Board:
    """The run of one project, as all machines see it.

    Parameters
    ----------
    client : redis client
    plan : RunPlan
    """

    def __init__(self, client: Client, plan: RunPlan) -> None:
        self.client = client
        self.plan = plan
        self.state_key = run_key(plan.id)
        self.next_key = self.state_key + b":next"
        self._bits = self.state_key + b":finished"
        self._failures = self.state_key + b":failures"
        self._begun = self.state_key + b":begun"
        self._owners = self.state_key + b":owners"
        self._previews = self.state_key + b":previews"

    @classmethod
    def create(cls, client: Client, **facts: Any) -> "Board":
        """Begin a new run; `forget` an older one of the project before."""
        plan = RunPlan(id=uuid.uuid4().hex[:12], started=time.time(), **facts)
        board = cls(client, plan)
        with client.pipeline() as pipe:
            pipe.hset(board.state_key, mapping={"plan": json.dumps(asdict(plan))})
            pipe.set(board.next_key, 0)
            pipe.hset(RUNS, plan.key.encode(), plan.id)
            pipe.execute()
        return board

    def forget(self) -> None:
        """Remove the run; chunks of it that wait are passed over by workers, and those under way are not uploaded."""
        self.client.delete(*self._keys())

    @classmethod
    def load(cls, client: Client, run: str) -> "Board | None":
        """Return a run by its id; None if it is forgotten."""
        packed = client.hget(run_key(run), "plan")
        return None if packed is None else cls(client, RunPlan(**json.loads(packed)))

    @classmethod
    def all(cls, client: Client) -> list["Board"]:
        """Return the last run of every project."""
        found = {name: cls.load(client, run.decode()) for name, run in client.hgetall(RUNS).items()}
        gone = [name for name, board in found.items() if board is None]
        if gone:
            client.hdel(RUNS, *gone)
        return [board for board in found.values() if board is not None]

    def progress(self) -> Progress:
        """Tell how far it is."""
        done, failed, finished = self.client.hmget(self.state_key, ("done", "failed", "finished"))
        fed = self.client.get(self.next_key)
        return Progress(int(done or 0), int(failed or 0), int(fed or 0), int(finished or 0))

    def is_finished(self, number: int) -> bool:
        """Tell whether a chunk is done with."""
        return bool(self.client.getbit(self._bits, number))

    def own(self, number: int, owner: str) -> None:
        """Take a chunk over."""
        self.client.hset(self._owners, self.plan.chunk(number).key, owner)

    def count(self, outcome: Outcome) -> None:
        """Add what became of some of a chunk's tasks."""
        if not self.client.hexists(self.state_key, "plan"):
            return
        with self.client.pipeline() as pipe:
            pipe.hincrby(self.state_key, "done", outcome.done)
            pipe.hincrby(self.state_key, "failed", outcome.failed)
            if outcome.failures:
                pipe.rpush(self._failures, *(json.dumps(failure) for failure in outcome.failures))
                pipe.ltrim(self._failures, 0, MOST_KEPT - 1)
            pipe.execute()

    def finish(self, number: int) -> None:
        """Note that a chunk is done with."""
        if self.client.eval(_FINISH, 2, self.state_key, self._bits, number) >= self.plan.chunks:
            with self.client.pipeline() as pipe:
                for key in self._keys():
                    pipe.expire(key, KEPT_S)
                pipe.execute()
        self.client.hdel(self._owners, self.plan.chunk(number).key)

    def failures(self) -> list[tuple[int | str, str]]:
        """Return the tasks that failed, the first of them, each with the reason."""
        return [tuple(json.loads(line)) for line in self.client.lrange(self._failures, 0, -1)]

    def wanted_previews(self, number: int) -> int:
        """Count the predictions of a chunk that are to be shown at the end: one of a few chunks far apart, or more."""
        chunks = self.plan.chunks
        return 0 if number % max(1, chunks // PREVIEWS) else max(1, PREVIEWS // chunks)

    def show(self, task: int | str, picture: str) -> None:
        """Keep the picture of a prediction for the report."""
        self.client.hset(self._previews, str(task), picture)

    def previews(self) -> list[tuple[int | str, str]]:
        """Return the pictures that were kept."""
        return [(task.decode(), picture.decode()) for task, picture in self.client.hgetall(self._previews).items()]

    def _keys(self) -> Sequence[bytes]:
        return (self.state_key, self.next_key, self._bits, self._failures, self._begun, self._owners, self._previews)


class BoardJournal:
    """The journal of a run's uploads, for one worker; see `Journal`.

    Parameters
    ----------
    board : Board
    owner : str
        Who works on the chunk, as told to `Board.own`.
    """

    def __init__(self, board: Board, owner: str) -> None:
        self._board = board
        self.owner = owner

    def begin(self, chunk: str, tasks: Sequence[int]) -> None:
        """Note that an upload begins.

        Raises
        ------
        ChunkLost
            The chunk is another's by now, which will upload it.
        """
        board = self._board
        note = json.dumps([time.time(), list(tasks)])
        if not board.client.eval(_OWN, 2, board._begun, board._owners, chunk, self.owner, note):
            raise ChunkLost(f"chunk {chunk} was taken over by another worker")

    def end(self, chunk: str) -> None:
        """Forget it."""
        self._board.client.hdel(self._board._begun, chunk)

    def pending(self) -> dict[str, Begun]:
        """Return what was begun and not ended."""
        found = {}
        for chunk, note in self._board.client.hgetall(self._board._begun).items():
            with suppress(ValueError):
                at, tasks = json.loads(note)
                found[chunk.decode()] = Begun(tuple(tasks), max(0.0, time.time() - at))
        return found
