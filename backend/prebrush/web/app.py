"""The Flask app: built from settings handed in, one blueprint for each concern."""

import logging
import time
from typing import Any

from flask import Flask, Response, g, request

from prebrush.predictor import Predictor, build_predictor
from prebrush.settings import Settings
from prebrush.standing import watch_runs
from prebrush.tracing import choose_id, request_id
from prebrush.web.api import build_api
from prebrush.web.auth import PROBES, guard
from prebrush.web.failures import register_failures
from prebrush.web.metrics import Metrics
from prebrush.web.playground import build_playground
from prebrush.web.readiness import Readiness
from prebrush.web.room import Room

logger = logging.getLogger("prebrush.access")


QUIET_PATHS = PROBES | {"/metrics"}
"""Asked every few seconds by machines, and logged only where everything is."""


def create_app(settings: Settings, predictor: Predictor | None = None, readiness: Readiness | None = None) -> Flask:
    """Build the app.

    Parameters
    ----------
    settings : Settings
    predictor : Predictor or None
        None builds one from the settings.
    readiness : Readiness or None
        None is that of a server whose kernels are loaded as they are needed.
    """
    app = Flask("prebrush.web")
    app.config["MAX_CONTENT_LENGTH"] = settings.server.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base class does not
    predictor = predictor or build_predictor(settings)
    room = Room(settings.server.threads)
    metrics = Metrics(predictor, room)
    watch_runs(settings.storage.url, predictor.measures.registry)
    readiness = readiness or Readiness(is_warm=True)
    app.register_blueprint(build_api(settings, predictor, metrics, room, readiness))
    app.register_blueprint(build_playground(settings, predictor, room))
    register_failures(app)
    _observe(app, metrics)
    guard(app, settings)
    _read_uploads(app)
    return app


def _read_uploads(app: Flask) -> None:
    """Read uploads of callers that may call before a route takes a place for long requests."""

    @app.before_request
    def read_uploads() -> None:
        # a slow client then holds no place
        if request.mimetype == "multipart/form-data":
            _ = request.files


def _observe(app: Flask, metrics: Metrics) -> None:
    """Count every request and write one line for it, with the id that all lines about it carry."""

    @app.before_request
    def start() -> None:
        g.started = time.perf_counter()
        request_id.set(choose_id(request.headers.get("X-Request-ID")))

    @app.after_request
    def log_request(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        route: Any = request.url_rule
        metrics.observe_request(route.rule if route else "unknown", response.status_code, seconds)
        response.headers["X-Request-ID"] = request_id.get()
        level = logging.DEBUG if request.path in QUIET_PATHS else logging.INFO
        fields = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "milliseconds": round(seconds * 1000, 1),
        }
        logger.log(level, "%s %s %d %.1f ms", *fields.values(), extra={"fields": fields})
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        request_id.set("")
