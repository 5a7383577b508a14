"""Label Studio's routes, for the connectors of 1.23 and for the older ones."""

from typing import Any

import prometheus_client
from flask import Blueprint, Response, jsonify, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from prebrush.background import Background
from prebrush.errors import InvalidBody
from prebrush.labelstudio.request import parse_object, parse_predict, parse_setup, parse_webhook
from prebrush.labelstudio.result import encode_response
from prebrush.predictor import Predictor
from prebrush.settings import Settings
from prebrush.version import __version__
from prebrush.web.bodies import read_body
from prebrush.web.failures import error_body
from prebrush.web.metrics import Metrics
from prebrush.web.readiness import Readiness
from prebrush.web.room import Room

MODEL_CLASS = "prebrush"
KNOWN_ACTIONS = frozenset(
    f"{noun}_{verb}"
    for noun in ("ANNOTATION", "ANNOTATIONS", "TASKS", "PROJECT", "LABEL_LINK")
    for verb in ("CREATED", "UPDATED", "DELETED")
) | {"START_TRAINING"}
"""Events by name; any other is counted as OTHER, so that a caller cannot grow the metrics without bound."""


def build_api(
    settings: Settings, predictor: Predictor, metrics: Metrics, room: Room, readiness: Readiness
) -> Blueprint:
    """Build the blueprint of Label Studio's routes."""
    api = Blueprint("api", __name__)
    background = Background(predictor, settings)

    @api.post("/setup")
    def setup() -> Response:
        plan = predictor.set_up(parse_setup(request.get_data(cache=False)))
        return jsonify(model_version=plan.model_version)

    @api.post("/predict")
    def predict() -> Response:
        # read and parsed before a place is taken: a slow client holds none
        body = parse_predict(read_body(request), max_tasks=settings.server.max_tasks)
        # gunicorn's, paced by ``worker.PacedWorker``; no other server has it
        connection = request.environ.get("gunicorn.socket")
        with room.enter(batch=len(body.tasks) > 1):
            entries, version = predictor.answer(body, getattr(connection, "has_hung_up", never))
            return Response(encode_response(entries, version), mimetype="application/json")

    @api.post("/webhook")
    def webhook() -> tuple[Response, int]:
        event = parse_webhook(request.get_data(cache=False))
        metrics.count_webhook(event.action if event.action in KNOWN_ACTIONS else "OTHER")
        background.notice(event)
        return jsonify(status="ok"), 201

    _add_probes(api, predictor, metrics, room, readiness)
    _add_older_routes(api, predictor)
    return api


def never() -> bool:
    """Tell of a client that cannot be watched that it is there."""
    return False


def _add_probes(api: Blueprint, predictor: Predictor, metrics: Metrics, room: Room, readiness: Readiness) -> None:
    """Add the routes that tell how the server is."""

    @api.get("/health")
    def health() -> Response:
        return jsonify(status="UP", model_class=MODEL_CLASS, version=__version__)

    @api.get("/ready")
    def ready() -> Response:
        reason = readiness.why_not(predictor, room)
        if reason:
            # no error to be logged: a probe asks every few seconds
            return error_body("not_ready", reason, 503)
        return jsonify(status="READY", storage="away" if predictor.storage.away else "up")

    @api.get("/")
    def root() -> AnyResponse:
        if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
            # relative, so that a prefix in front of the server is kept
            return redirect("playground")
        return health()

    @api.get("/metrics")
    def show_metrics() -> Response:
        return Response(metrics.render(), content_type=prometheus_client.CONTENT_TYPE_LATEST)


def _add_older_routes(api: Blueprint, predictor: Predictor) -> None:
    """Add what connectors may call beside the main routes."""

    @api.route("/versions", methods=["GET", "POST"])
    def versions() -> Response:
        project = str(request.args.get("project") or _object_body().get("project") or "")
        return jsonify(versions=predictor.versions(project))

    @api.post("/validate")
    def validate() -> Response:
        config = _object_body().get("config")
        if not isinstance(config, str):
            raise InvalidBody('config: expected the labeling config as text, as in {"config": "<View>...</View>"}')
        predictor.validate(config)
        return jsonify(status="ok")

    @api.post("/train")
    def train() -> tuple[Response, int]:
        # classical methods have nothing to train; an answer without a job tells the connector just that
        _object_body()
        return jsonify(status="ok"), 201

    @api.get("/is_training")
    def is_training() -> Response:
        return jsonify(is_training=False)

    @api.post("/job_status")
    def job_status() -> Response:
        job = _object_body().get("job")
        return jsonify(job_status="completed", error="", created_at="", finished_at="", job=job or "")

    @api.post("/delete")
    @api.post("/duplicate_model")
    def nothing_to_do() -> Response:
        # there is no model file to delete or copy: masks age out of the cache, and /setup brings a project's settings
        _object_body()
        return jsonify(status="ok")


def _object_body() -> dict[str, Any]:
    """Read a small JSON object; nothing at all is an empty one."""
    return parse_object(request.get_data(cache=False))
