"""One run over a project: its plan, and the work on one chunk of it, the same here and on another machine."""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from prebrush.batch.chunks import CHUNK_TASKS, Chunk
from prebrush.batch.labelling import BatchPredictor, Labelled, Labeller
from prebrush.batch.scratch import Scratch
from prebrush.batch.uploading import Uploader
from prebrush.datatypes import Task
from prebrush.errors import PrebrushError
from prebrush.labelstudio.config import parse_label_config
from prebrush.pictures import Account
from prebrush.planning import Plan, build_plan
from prebrush.projects import Projects, ProjectState
from prebrush.settings import Settings
from prebrush.storage import ForgivingStorage, open_storage

if TYPE_CHECKING:
    # a folder needs no Label Studio, and so not its SDK
    from prebrush.batch.studio import StudioProject

logger = logging.getLogger(__name__)

MOST_KEPT = 1000
"""Failures that are told one by one; beyond that they are counted."""
PREVIEWS = 24


@dataclass(slots=True)
class Outcome:
    """How many tasks were predicted and how many failed, and why."""

    done: int = 0
    failed: int = 0
    failures: list[tuple[int | str, str]] = field(default_factory=list)
    """The first of them, each task with the reason."""

    def fail(self, task: int | str, reason: str) -> None:
        """Count a task that has no prediction."""
        self.failed += 1
        if len(self.failures) < MOST_KEPT:
            self.failures.append((task, reason))

    def add(self, other: "Outcome") -> None:
        """Count another's tasks too."""
        self.done += other.done
        self.failed += other.failed
        self.failures += other.failures[: MOST_KEPT - len(self.failures)]


class Previews:
    """A fair choice of a few of many tasks, each drawn when it is chosen."""

    def __init__(self, draw: Callable[[Task], str], most: int = PREVIEWS) -> None:
        self._draw = draw
        self._most = most
        self._seen = 0
        self._random = random.Random(0)
        self._lock = threading.Lock()
        self.chosen: list[tuple[int | str, str]] = []

    def offer(self, task: Task) -> None:
        """Take a task into the choice, or not: each of all those offered is as likely to be in it at the end."""
        with self._lock:
            self._seen += 1
            place = len(self.chosen) if self._seen <= self._most else self._random.randrange(self._seen)
        if place >= self._most:
            return
        try:
            drawn = (task.id, self._draw(task))
        except PrebrushError as error:
            # the image went away between the prediction and now; the prediction is good all the same
            logger.info("task %s: no picture in the report: %s", task.id, error)
            return
        with self._lock:
            self.chosen[place : place + 1] = [drawn]


@dataclass(slots=True)
class ProjectRun:
    """A run over one project, on this machine."""

    project: "StudioProject"
    predictor: BatchPredictor
    plan: Plan
    account: Account
    only_missing: bool

    @property
    def version(self) -> str:
        """The model version of its predictions."""
        return self.plan.model_version

    def close(self) -> None:
        """Let go of the storage; the project is not the run's own."""
        self.predictor.close()

    def predict(self, task: Task) -> bytes:
        """Predict one task."""
        return self.predictor.predict(self.plan, self.account, task)

    def preview(self, task: Task) -> str:
        """Draw what was just predicted."""
        return self.predictor.preview(self.plan, self.account, task)

    def work(
        self, chunk: Chunk, labeller: Labeller, uploader: Uploader, on_task: Callable[[Labelled], None]
    ) -> Outcome:
        """Predict and upload what is not done of a chunk.

        Parameters
        ----------
        on_task : callable (Labelled)
            Called for each task once it is predicted, or has failed; it is not uploaded yet.

        Raises
        ------
        StudioError
            Label Studio does not answer any more.
        """
        uploader.settle(chunk)
        outcome = Outcome()
        tasks = self.project.tasks(chunk, self.version, only_missing=self.only_missing)
        # a chunk of crowded ids may hold many tasks: never more predictions in memory than of a usual one
        while some := list(islice(tasks, CHUNK_TASKS)):
            entries: dict[int, bytes] = {}
            for labelled in labeller.label(some):
                if labelled.entry is None:
                    outcome.fail(labelled.task.id, labelled.reason)
                else:
                    entries[int(labelled.task.id)] = labelled.entry
                on_task(labelled)
            for task, reason in uploader.upload(chunk, entries):
                outcome.fail(task, reason)
                entries.pop(task)
            outcome.done += len(entries)
            if labeller.is_stopped:
                break
        return outcome


def plan_run(settings: Settings, project: "StudioProject", *, only_missing: bool) -> ProjectRun:
    """Make the plan that the server has for this project, from all that it would know.

    The connection's extra parameters are those that /setup told this machine's storage; where that knows nothing of
    the project, Label Studio is asked for those of its only connection.

    Raises
    ------
    RequestError
        The labeling config or the parameters cannot be served.
    StudioError
        Label Studio does not answer.
    """
    kept = settings.storage
    storage = ForgivingStorage(open_storage(kept.url, max_bytes=kept.max_bytes, ttl_s=kept.ttl_s))
    state = Projects(storage).recall(project.key)
    extra: Mapping[str, Any] = state.extra_params
    if state == ProjectState():
        extra = project.extra_params()
    plan = build_plan(parse_label_config(project.label_config), settings, project.key, extra, state.saved)
    plan.require_controls()
    return ProjectRun(
        project, BatchPredictor(settings, ForgivingStorage(Scratch(storage))), plan, Account(state), only_missing
    )
