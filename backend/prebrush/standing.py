"""Progress of the workers' runs as it lies in Redis, read without RQ: for `prebrush prelabel --status` and the metrics.

Not for working on a run: that is in `batch`, and needs RQ.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from prebrush.errors import StorageError
from prebrush.storage.breaker import Breaker
from prebrush.storage.port import PREFIX
from prebrush.storage.redis_url import Client, build_client

logger = logging.getLogger(__name__)

QUEUE = "prebrush"
"""Name of the queue; RQ makes its keys of it."""
RUNS = PREFIX + b"batches"
"""The last run of each project, by the project's full name."""
LEASE_S = 30
"""A worker that gave no sign for so long is dead, and its chunk another's."""
SLOW_S = 0.5
PAUSE_S = 30.0
"""A Redis that fails, or takes longer, is not asked for the figures again for so long."""
MOST_RUNS = 50
"""That metrics show: one series of each for a project, and no more however many there are."""


def run_key(run: str) -> bytes:
    """Return the key of the Redis hash with the plan and the counts of a run."""
    return PREFIX + b"batch:" + run.encode()


def count_workers(client: Client) -> int:
    """Count the workers that gave a sign of life lately, on all machines."""
    oldest = datetime.now(UTC) - timedelta(seconds=LEASE_S)
    signs = (client.hget(key, "last_heartbeat") for key in client.smembers(f"rq:workers:{QUEUE}"))
    return sum(datetime.fromisoformat(sign.decode()) >= oldest for sign in signs if sign)


class RunFigures(Collector):
    """Metrics of the queue, the workers and the runs in a Redis; none while it does not answer, or answers slowly.

    Parameters
    ----------
    connect : callable () -> redis client
        Called at the first look.
    is_away : callable () -> bool
        Whether that Redis is known not to answer.
    """

    def __init__(self, connect: Callable[[], Client], is_away: Callable[[], bool]) -> None:
        self._connect = connect
        self._is_away = is_away
        self._client: Client | None = None
        self._breaker = Breaker(PAUSE_S)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the figures."""
        if not self._is_away():
            with suppress(StorageError):
                self._breaker.check()
                yield from self._read()

    def _read(self) -> list[GaugeMetricFamily]:
        started = time.monotonic()
        try:
            self._client = self._client or self._connect()
            figures = list(_read(self._client))
        except (RedisError, OSError) as error:
            # prebrush_storage_up tells
            self._breaker.failed(type(error).__name__)
            return []
        except Exception as error:  # noqa: BLE001  garbage makes the client's parser raise nearly anything
            logger.warning("the figures of runs cannot be read: %s", type(error).__name__)
            self._breaker.failed(type(error).__name__)
            return []
        if time.monotonic() - started > SLOW_S:
            self._breaker.failed("slow")
        return figures

    def describe(self) -> list[GaugeMetricFamily]:
        """List nothing: to register this must not wait for Redis."""
        return []


def watch_runs(storage_url: str, registry: CollectorRegistry, is_away: Callable[[], bool]) -> None:
    """Add the figures to a server's metrics, if its storage is one that workers can meet in."""
    scheme = storage_url.partition("://")[0]
    if scheme.startswith("redis") and not scheme.endswith("+cluster"):
        registry.register(RunFigures(build_client(storage_url)[0], is_away))


def _read(client: Client) -> Iterator[GaugeMetricFamily]:
    waiting, running = client.llen(f"rq:queue:{QUEUE}"), client.zcard(f"rq:wip:{QUEUE}")
    yield GaugeMetricFamily("prebrush_workers", "Workers that are alive.", value=count_workers(client))
    yield GaugeMetricFamily("prebrush_chunks_waiting", "Chunks that wait for a worker.", value=waiting)
    yield GaugeMetricFamily("prebrush_chunks_running", "Chunks that are worked on.", value=running)
    tasks = GaugeMetricFamily(
        "prebrush_run_tasks", "Tasks of a project's last run: wanted, done, failed.", labels=["project", "kind"]
    )
    for project, run in sorted(client.hgetall(RUNS).items())[:MOST_RUNS]:
        plan, *counts = client.hmget(run_key(run.decode()), ("plan", "done", "failed"))
        if plan is not None:
            figures: dict[str, Any] = {"wanted": json.loads(plan)["wanted"], "done": counts[0], "failed": counts[1]}
            for kind, count in figures.items():
                tasks.add_metric([project.decode(), kind], int(count or 0))
    yield tasks
