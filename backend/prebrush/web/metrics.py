"""What `/metrics` shows: the measures of the work, and what is to be seen from outside of it."""

from collections.abc import Iterator

import prometheus_client as prometheus
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from prebrush.predictor import Predictor
from prebrush.storage import ForgivingStorage
from prebrush.version import __version__
from prebrush.web.room import Room


class StorageErrors(Collector):
    """Shows how many calls to a storage failed, which the storage counts itself."""

    def __init__(self, storage: ForgivingStorage) -> None:
        self._storage = storage

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Read the counts."""
        family = CounterMetricFamily("prebrush_storage_errors", "Calls to the storage that failed.", labels=["kind"])
        for kind, count in self._storage.errors.items():
            family.add_metric([kind], count)
        yield family


class Metrics:
    """Adds to a predictor's measures those of the server around it."""

    def __init__(self, predictor: Predictor, room: Room) -> None:
        self._registry = registry = predictor.measures.registry
        self._requests = prometheus.Histogram(
            "prebrush_request_seconds",
            "Time to answer a request.",
            ["route", "status"],
            registry=registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100),
        )
        self._webhooks = prometheus.Counter(
            "prebrush_webhooks", "Events received from Label Studio.", ["action"], registry=registry
        )
        prometheus.Info("prebrush_build", "Which prebrush this is.", registry=registry).info({"version": __version__})
        prometheus.ProcessCollector(registry=registry)
        self._watch_work(predictor, room)
        self._watch_storage(predictor)

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(route, str(status)).observe(seconds)

    def count_webhook(self, action: str) -> None:
        """Count one event."""
        self._webhooks.labels(action).inc()

    def render(self) -> bytes:
        """Write the metrics in Prometheus' text format."""
        return prometheus.generate_latest(self._registry)

    def _watch_work(self, predictor: Predictor, room: Room) -> None:
        watch, jobs, cores = predictor.measures.watch, predictor.errands.jobs, predictor.segmenter.cores
        watch("prebrush_tasks_unfinished", "Tasks that wait or run.", lambda: jobs.unfinished)
        watch("prebrush_tasks_in_background", "Tasks of batches that were answered already.", jobs.in_background)
        watch(
            "prebrush_images_to_prepare",
            "Images that wait to be prepared for clicks.",
            lambda: predictor.preparer.waiting,
        )
        watch("prebrush_kept_bytes", "Answers and prepared images in memory.", lambda: predictor.kept_bytes)
        watch("prebrush_cores_busy", "Images that are segmented now.", lambda: cores.taken)
        watch("prebrush_cores_waited_for", "Images that wait for a core.", lambda: cores.waiting)
        watch("prebrush_long_requests", "Long requests under way.", lambda: room.taken)
        watch("prebrush_long_requests_limit", "From how many on more are refused.", lambda: room.places)

    def _watch_storage(self, predictor: Predictor) -> None:
        storage = predictor.storage
        predictor.measures.watch("prebrush_storage_up", "1 unless calls failed lately.", lambda: not storage.away)
        predictor.measures.watch(
            "prebrush_storage_held_projects", "Projects whose state waits to be written.", lambda: storage.held
        )
        self._registry.register(StorageErrors(storage))
