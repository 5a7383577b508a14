"""The tasks of a request, run on a pool of threads until the answer is due, the client is gone or the server stops."""

import logging
import math
import os
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial

from prebrush.datatypes import Task
from prebrush.errors import Abandoned, PrebrushError, SegmentationError
from prebrush.jobs import Jobs, Urgency
from prebrush.labelstudio.result import NOT_READY
from prebrush.measures import Measures

logger = logging.getLogger(__name__)

MOST_BYTES = 200_000_000
"""Most bytes in one answer: Label Studio itself takes no body over 250 MB."""

FETCHERS = 4
"""Threads beyond one for each core, so that no core idles while images are fetched; as many again are kept for single
tasks, which a person waits for."""

LOOK_EVERY_S = 0.25
"""How often a request that waits looks whether its client is still there."""


@dataclass(frozen=True, slots=True)
class Errand:
    """The work of one task. Errands with equal keys are run once and share the result.

    Attributes
    ----------
    key : hashable
    task : Task
        For log messages.
    work : callable () -> bytes
        Makes the encoded entry of the task.
    """

    key: Hashable
    task: Task
    work: Callable[[], bytes]


class Errands:
    """Runs the tasks of requests. Safe to share between threads.

    Parameters
    ----------
    cores : int
        How many tasks compute at the same time.
    measures : Measures
    """

    def __init__(self, cores: int, measures: Measures) -> None:
        self.jobs: Jobs[bytes] = Jobs(cores + 2 * FETCHERS, reserved=FETCHERS)
        self._measures = measures
        self._stop_at = math.inf

    def hand_back_within(self, seconds: float) -> None:
        """Answer every request within so many seconds, with what is ready by then; called when the server stops."""
        self._stop_at = time.monotonic() + seconds

    def run(self, errands: Sequence[Errand], urgency: Urgency, due: float, is_gone: Callable[[], bool]) -> list[bytes]:
        """Run errands and give their entries, in order; `NOT_READY` for one that failed or is not ready yet.

        When the answer is due, a batch goes on in the background and is ready for the next call. What a person waited
        for is dropped where it has not begun, and ends at its next step where it has.

        Parameters
        ----------
        due : float
            When to answer, on the monotonic clock.
        is_gone : callable
            Tells whether the client has hung up.

        Raises
        ------
        Overloaded
            Too many tasks are waiting.
        Abandoned
            The client has hung up.
        """
        asked = [(errand.key, partial(_guard, errand.task, errand.work)) for errand in errands]
        futures = self.jobs.submit_all(asked, urgency)
        try:
            self._wait(futures, due, is_gone)
        except Abandoned:
            for _ in futures:
                self._measures.count_task("abandoned")
            raise
        finally:
            for future in futures:
                self.jobs.leave(future)
        return self._take(futures)

    def _wait(self, futures: Sequence[Future[bytes]], due: float, is_gone: Callable[[], bool]) -> None:
        for future in futures:
            while not future.done():
                left_s = min(due, self._stop_at) - time.monotonic()
                if left_s <= 0:
                    return
                wait([future], timeout=min(left_s, LOOK_EVERY_S))
                if not future.done() and is_gone():
                    raise Abandoned(f"the client hung up before {len(futures)} task(s) were done")

    def _take(self, futures: Sequence[Future[bytes]]) -> list[bytes]:
        entries, room, late = [], MOST_BYTES, 0
        for future in futures:
            is_done = future.done() and not future.cancelled()
            entry = future.result() if is_done else NOT_READY
            late += not is_done
            room -= len(entry)
            entries.append(entry if room >= 0 else NOT_READY)
            outcome = "failed" if entry is NOT_READY else "answered"
            self._measures.count_task(outcome if is_done else "late")
        if late:
            logger.warning("%d of %d tasks are not ready: the answer is due", late, len(futures))
        if room < 0:
            logger.warning("the answer holds %d bytes of masks; the tasks beyond that are asked for again", MOST_BYTES)
        return entries


def usable_cores() -> int:
    """Count the cores that this process may use: a container is often given fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _guard(task: Task, work: Callable[[], bytes]) -> bytes:
    """Do the work of one task; what goes wrong with it is logged and costs only this task."""
    try:
        return work()
    except Abandoned:
        raise
    except SegmentationError:
        logger.exception("task %s: no prediction", task.id)
    except PrebrushError as error:
        logger.warning("task %s: no prediction: %s", task.id, error)
    except MemoryError:
        logger.error("task %s: no prediction: there is not the memory for it", task.id)  # noqa: TRY400  no trace helps
    except Exception:
        logger.exception("task %s: no prediction because of an error inside prebrush", task.id)
    return NOT_READY
