"""Prometheus metrics of one app."""

import prometheus_client as prometheus

from prebrush.predictor import Predictor


class Metrics:
    """Counters in a registry of their own, so that two apps in one process do not meet."""

    def __init__(self, predictor: Predictor) -> None:
        self._registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Histogram(
            "prebrush_request_seconds",
            "Time to answer a request.",
            ["route", "status"],
            registry=self._registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100),
        )
        self._webhooks = prometheus.Counter(
            "prebrush_webhooks", "Events received from Label Studio.", ["action"], registry=self._registry
        )
        waiting = prometheus.Gauge("prebrush_tasks_unfinished", "Tasks that wait or run.", registry=self._registry)
        waiting.set_function(lambda: predictor.unfinished)

    def observe_request(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(route, str(status)).observe(seconds)

    def count_webhook(self, action: str) -> None:
        """Count one event."""
        self._webhooks.labels(action).inc()

    def render(self) -> bytes:
        """Write the metrics in Prometheus' text format."""
        return prometheus.generate_latest(self._registry)
