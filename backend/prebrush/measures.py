"""What one server counts and times. Labels come from short lists, so that no caller can grow them without bound."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import prometheus_client as prometheus

STAGES = ("fetch", "decode", "segment", "prepare", "answer_marks", "encode")
"""Steps of the work; all but the first two are timed by method."""

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Measures:
    """Counters and clocks in a registry of their own, so that two servers in one process do not meet."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        self._stages = prometheus.Histogram(
            "prebrush_stage_seconds",
            "Time of one step of the work on an image.",
            ["stage", "method"],
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._reads = self.counter("prebrush_cache_reads", "Reads of the cache.", ["kind", "result"])
        self._image_failures = self.counter("prebrush_image_failures", "Images that could not be had.", ["cause"])
        self._tasks = self.counter("prebrush_tasks", "Tasks by what became of them.", ["outcome"])

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> prometheus.Counter:
        """Make a counter."""
        return prometheus.Counter(name, text, labels, registry=self.registry)

    @contextmanager
    def clock(self, stage: str, method: str = "") -> Iterator[None]:
        """Time a step that succeeds.

        Parameters
        ----------
        stage : str
            Of `STAGES`.
        method : str
            Name of the segmentation method; empty where it does not matter.
        """
        started = time.perf_counter()
        yield
        self._stages.labels(stage, method).observe(time.perf_counter() - started)

    def count_read(self, kind: str, *, hit: bool) -> None:
        """Count a read of the cache: of an answer, of segments, of a prepared image, of an image's identity."""
        self._reads.labels(kind, "hit" if hit else "miss").inc()

    def count_image_failure(self, error: Exception) -> None:
        """Count an image that could not be had, by the class of the error."""
        self._image_failures.labels(type(error).__name__).inc()

    def count_task(self, outcome: str) -> None:
        """Count a task: answered, failed, late (goes on in the background) or abandoned."""
        self._tasks.labels(outcome).inc()

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a value as it is when somebody looks."""
        prometheus.Gauge(name, text, registry=self.registry).set_function(value)
