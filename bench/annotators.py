"""People at work: what their editors and their Label Studio ask of prebrush, with pauses as people make them."""

import itertools
import json
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import urllib3

from bench.warm_request import CONFIG

BATCH = 20
"""Tasks of one batch: a page of the data manager."""
WIDTH_OF_WORK = 40
"""So many tasks are worked on at a time: some are new, some were opened by somebody else."""
TASKS_PER_S = 0.2
"""How fast people get through a project together."""


class Records:
    """How long each kind of request took, and what went wrong. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: dict[str, list[str]] = defaultdict(list)
        self.refused: dict[str, int] = defaultdict(int)

    def refuse(self, kind: str) -> None:
        """Note a request that was told to come back later."""
        with self._lock:
            self.refused[kind] += 1

    def add(self, kind: str, seconds: float, error: str) -> None:
        """Note one request; an empty error is none."""
        with self._lock:
            self.seconds[kind].append(seconds)
            if error:
                self.errors[kind].append(error)

    @property
    def n_errors(self) -> int:
        """How many requests went wrong."""
        return sum(map(len, self.errors.values()))

    def rows(self) -> list[tuple[str, int, float, float, float, int, int]]:
        """Give kind, count, p50, p99 and longest in milliseconds, how many were told to come back, and errors."""
        found = []
        for kind, seconds in sorted(self.seconds.items()):
            p50, p99 = (1e3 * float(value) for value in np.percentile(seconds, (50, 99)))
            found.append((kind, len(seconds), p50, p99, 1e3 * max(seconds), self.refused[kind], len(self.errors[kind])))
        return found


class Annotators:
    """So many people, each in a thread, until told to stop.

    Parameters
    ----------
    url : str
        Of the server, or of the proxy before several.
    people : int
    pause_s : float
        Mean time that a person looks before the next click.
    """

    def __init__(self, url: str, people: int, pause_s: float) -> None:
        self.records = Records()
        self._url = url
        self._pause_s = pause_s
        self._over = threading.Event()
        self._started = time.monotonic()
        self._http = urllib3.PoolManager(maxsize=people + 8, retries=False, timeout=110)
        works = [self._annotate] * people + [self._manage, self._probe]
        self._threads = [threading.Thread(target=work, args=(seed,)) for seed, work in enumerate(works)]

    def work(self, seconds: float) -> None:
        """Start everybody, wait, and send them home."""
        for thread in self._threads:
            thread.start()
        time.sleep(seconds)
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _annotate(self, seed: int) -> None:
        """Open a task, click, draw a box, submit; and the next."""
        chance = random.Random(seed)
        # nobody begins to work at the same second
        self._over.wait(chance.uniform(0, 5 * self._pause_s))
        while self._pause(chance):
            task = self._next_task(chance)
            self._predict("open", [task], None)
            for kind in chance.choice((("click",) * 3, ("click",) * 6, ("box", "click", "click"))):
                if not self._pause(chance):
                    return
                self._predict(kind, [task], _mark(kind, chance))
            event = {"action": "ANNOTATION_CREATED", "annotation": {"id": 1, "task": task}, "project": {"id": 1}}
            self._ask("webhook", "POST", "/webhook", event, lambda _: "")

    def _manage(self, seed: int) -> None:
        """Retrieve predictions for a page of tasks now and then, as a manager does."""
        chance = random.Random(seed)
        while not self._over.wait(chance.uniform(0.5, 1.5) * 10 * self._pause_s):
            first = self._next_task(chance)
            self._predict(f"batch of {BATCH}", list(range(first, first + BATCH)), None)
            setup = {"project": "1.1", "schema": CONFIG.format(attributes=""), "hostname": "", "access_token": ""}
            self._ask("setup", "POST", "/setup", setup, lambda answer: "" if answer["model_version"] else "no version")

    def _probe(self, _: int) -> None:
        """Ask as probes and Prometheus do."""
        for number in itertools.count():
            if self._over.wait(1):
                return
            self._ask("health", "GET", "/health", None, lambda _: "")
            if number % 5 == 0:
                self._ask("metrics", "GET", "/metrics", None, None)

    def _pause(self, chance: random.Random) -> bool:
        """Look at the picture for a while; false at the end of work."""
        return not self._over.wait(chance.expovariate(1 / self._pause_s))

    def _next_task(self, chance: random.Random) -> int:
        return int(TASKS_PER_S * (time.monotonic() - self._started)) + chance.randrange(WIDTH_OF_WORK)

    def _predict(self, kind: str, tasks: list[int], mark: dict[str, Any] | None) -> None:
        body = {
            "tasks": [{"id": task, "data": {"image": f"/data/upload/1/{task}.jpg"}} for task in tasks],
            "project": "1.1",
            "label_config": CONFIG.format(attributes=""),
            "params": {"context": mark and {"result": [mark]}},
        }

        def check(answer: Any) -> str:
            without = [task for task, entry in zip(tasks, answer["results"], strict=True) if not entry]
            return f"nothing for {without}" if without else ""

        self._ask(kind, "POST", "/predict", body, check)

    def _ask(self, kind: str, method: str, path: str, body: Any, check: Callable[[Any], str] | None) -> None:
        started = time.monotonic()
        try:
            answer = self._http.request(method, self._url + path, json=body)
            if answer.status == 503 and answer.headers.get("Retry-After"):
                self.records.refuse(kind)
                self._over.wait(float(answer.headers["Retry-After"]))
                return
            if answer.status not in (200, 201):
                error = f"{answer.status}: {answer.data[:200]!r}"
            else:
                error = check(json.loads(answer.data)) if check else ""
        except (urllib3.exceptions.HTTPError, ValueError, KeyError) as failure:
            error = repr(failure)
        self.records.add(kind, time.monotonic() - started, error)


def _mark(kind: str, chance: random.Random) -> dict[str, Any]:
    """Give a click or a box somewhere, in percent, as the editor sends it."""
    x, y = chance.uniform(10, 60), chance.uniform(10, 60)
    value: dict[str, Any] = {"x": x, "y": y, "keypointlabels": ["Object"]}
    if kind == "box":
        value = {"x": x, "y": y, "width": 25, "height": 25, "rotation": 0, "rectanglelabels": ["Object"]}
    name = "rectanglelabels" if kind == "box" else "keypointlabels"
    mark = {"id": "a", "type": name, "from_name": "p", "to_name": "image", "is_positive": True, "value": value}
    return {**mark, "original_width": 900, "original_height": 600}
