"""Tasks that Label Studio announces are predicted while nobody waits for them, so that they are there when opened.

Webhook events are not authenticated, so an event is taken only as a hint that there may be new tasks: for a project
that /setup told of, Label Studio itself is asked for the labeling config and the tasks, with that project's own
credentials. What the event says of images, configs or hosts is not read. The most that a forged event can do is to have
a project's own next tasks predicted sooner.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from prebrush.datatypes import Task
from prebrush.errors import PrebrushError, StudioError
from prebrush.labelstudio.request import PredictRequest, WebhookEvent
from prebrush.pictures import Account, build_studio, build_studio_client
from prebrush.predictor import Predictor
from prebrush.projects import ProjectState
from prebrush.settings import Settings

logger = logging.getLogger(__name__)

ACTIONS = frozenset({"TASKS_CREATED", "PROJECT_UPDATED"})
MOST_PROJECTS = 32
"""Projects that wait; an event beyond them is forgotten, and the tasks are predicted when they are opened."""
MOST_TASKS = 200
"""Of one project and event: the next ones that people will open. `prebrush prelabel` is for all."""
PAGE = 20
PAUSE_S = 2.0
"""Before a project is looked at: one import brings many events."""


class Background:
    """One thread that prepares announced tasks. Safe to share between threads.

    Parameters
    ----------
    predictor : Predictor
    settings : Settings
    pause_s : float
        Seconds to wait before a project is looked at, so that the many events of one import are one piece of work.
    """

    def __init__(self, predictor: Predictor, settings: Settings, pause_s: float = PAUSE_S) -> None:
        self._predictor = predictor
        self._settings = settings
        self._pause_s = pause_s
        self._client = build_studio_client(settings)
        self._changed = threading.Condition()
        self._waiting: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self._prepared = predictor.measures.counter("prebrush_background_tasks", "Announced tasks that were prepared.")
        predictor.measures.watch(
            "prebrush_background_projects_waiting",
            "Projects whose announced tasks wait to be prepared.",
            lambda: len(self._waiting),
        )

    def notice(self, event: WebhookEvent) -> None:
        """Take an event; returns at once, whatever it is."""
        if event.action not in ACTIONS or "." not in event.project:
            return
        ids = [number for number in event.task_ids if isinstance(number, int)]
        first = max(0, min(ids, default=0))
        with self._changed:
            if event.project not in self._waiting and len(self._waiting) >= MOST_PROJECTS:
                return
            self._waiting[event.project] = min(first, self._waiting.get(event.project, first))
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="prebrush-background", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
            time.sleep(self._pause_s)
            with self._changed:
                project = next(iter(self._waiting))
                first = self._waiting.pop(project)
            try:
                self._prepare(project, first)
            except PrebrushError as error:
                logger.info("tasks of project %s are not prepared: %s", project, error)
            except Exception:
                logger.exception("tasks of project %s are not prepared", project)

    def _prepare(self, project: str, first: int) -> None:
        state = self._predictor.projects.recall(project)
        if state == ProjectState():
            logger.info("an event of project %s, which /setup has not told of, is passed over", project)
            return
        config = self._ask_config(project, state)
        for tasks in self._next_tasks(project, state, first):
            # one task alone would count as opened by a person; the same twice is predicted once, behind all people
            pair = tasks if len(tasks) > 1 else tasks * 2
            self._predictor.answer(PredictRequest(tuple(pair), project=project, label_config=config))
            self._prepared.inc(len(tasks))

    def _ask_config(self, project: str, state: ProjectState) -> str:
        number = project.partition(".")[0]
        found = self._ask(f"/api/projects/{int(number)}/", state)
        if not isinstance(found, dict) or not isinstance(found.get("label_config"), str):
            raise StudioError(f"Label Studio does not describe project {number}")
        return str(found["label_config"])

    def _next_tasks(self, project: str, state: ProjectState, first: int) -> Iterator[list[Task]]:
        """Go through the tasks from an id on that nobody has annotated, a page at a time."""
        number = int(project.partition(".")[0])
        for _ in range(MOST_TASKS // PAGE):
            filters = [_filter("id", "greater_or_equal", first), _filter("total_annotations", "equal", 0)]
            query = {"filters": {"conjunction": "and", "items": filters}, "ordering": ["tasks:id"]}
            asked = {"project": number, "page": 1, "page_size": PAGE, "resolve_uri": "false"}
            found = self._ask(f"/api/tasks/?{urlencode({**asked, 'query': json.dumps(query)})}", state)
            entries = found.get("tasks") if isinstance(found, dict) else None
            tasks = [_read_task(entry) for entry in entries or ()]
            if not tasks:
                return
            yield tasks
            if len(tasks) < PAGE:
                return
            first = int(tasks[-1].id) + 1

    def _ask(self, route: str, state: ProjectState) -> Any:
        return self._client.get_json(route, build_studio(self._settings, Account(state)))


def _filter(column: str, operator: str, value: int) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": "Number", "value": value}


def _read_task(entry: Any) -> Task:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), int) or not isinstance(entry.get("data"), dict):
        raise StudioError("Label Studio lists something that is no task")
    return Task(entry["id"], entry["data"])
