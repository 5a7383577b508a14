"""The server: which method of the model each route calls, and with what."""

from flask import Flask, Response, jsonify, request

from .model import LabelStudioMLBase

TRAIN_EVENTS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "START_TRAINING")
_server = Flask(__name__)
_chosen = {}


def init_app(model_class, basic_auth_user=None, basic_auth_pass=None):
    assert issubclass(model_class, LabelStudioMLBase)
    _chosen["model"] = model_class
    _chosen["auth"] = (basic_auth_user, basic_auth_pass) if basic_auth_user and basic_auth_pass else None
    return _server


@_server.before_request
def check_auth():
    shown = request.authorization
    if _chosen["auth"] and (not shown or (shown.username, shown.password) != _chosen["auth"]):
        return Response("Unauthorized", 401)
    return None


@_server.post("/predict")
def predict():
    data = request.json
    params = data.get("params", {})
    context = params.pop("context", {})
    model = _chosen["model"](project_id=str(data.get("project")).split(".", 1)[0], label_config=data["label_config"])
    return jsonify(results=model.predict(data["tasks"], context=context, **params))


@_server.post("/setup")
def setup():
    data = request.json
    model = _chosen["model"](project_id=data["project"].split(".", 1)[0], label_config=data["schema"])
    if data.get("extra_params"):
        model.set_extra_params(data["extra_params"])
    return jsonify(model_version=model.get("model_version"))


@_server.post("/webhook")
def webhook():
    data = request.json
    event = data.pop("action")
    if event not in TRAIN_EVENTS:
        return jsonify(status="Unknown event"), 200
    model = _chosen["model"](str(data["project"]["id"]), label_config=data["project"]["label_config"])
    return jsonify(result=model.fit(event, data), status="ok"), 201


@_server.get("/health")
def health():
    return jsonify(status="UP", model_class=_chosen["model"].__name__)
