"""The Flask app: built from settings handed in, one blueprint for each concern."""

import logging
import time
from typing import Any

from flask import Flask, Response, g, request

from prebrush.predictor import Predictor, build_predictor
from prebrush.settings import Settings
from prebrush.web.api import build_api
from prebrush.web.auth import guard
from prebrush.web.failures import register_failures
from prebrush.web.metrics import Metrics
from prebrush.web.playground import build_playground
from prebrush.web.room import Room

logger = logging.getLogger("prebrush.access")


def create_app(settings: Settings, predictor: Predictor | None = None) -> Flask:
    """Build the app.

    Parameters
    ----------
    settings : Settings
    predictor : Predictor or None
        None builds one from the settings.
    """
    app = Flask("prebrush.web")
    app.config["MAX_CONTENT_LENGTH"] = settings.server.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base class does not
    predictor = predictor or build_predictor(settings)
    metrics = Metrics(predictor)
    room = Room(settings.server.threads)
    app.register_blueprint(build_api(settings, predictor, metrics, room))
    app.register_blueprint(build_playground(settings, predictor, room))
    register_failures(app)
    guard(app, settings)
    _observe(app, metrics)
    return app


def _observe(app: Flask, metrics: Metrics) -> None:
    """Count every request and write one line for it."""

    @app.before_request
    def start_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def log_request(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        route: Any = request.url_rule
        metrics.observe_request(route.rule if route else "unknown", response.status_code, seconds)
        level = logging.DEBUG if request.path in {"/health", "/metrics"} else logging.INFO
        logger.log(level, "%s %s %d %.1f ms", request.method, request.path, response.status_code, seconds * 1000)
        return response
