"""The other routes, and the one shape of errors."""

import json

import pytest

from prebrush.web import create_app

from .asking import set_up
from .conftest import CONFIG


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/predict", b"{", 400),
        ("/predict", b"[]", 400),
        ("/predict", b'{"tasks": 5}', 400),
        ("/predict", b'{"tasks": [{"data": []}]}', 400),
        ("/setup", b"no", 400),
        ("/webhook", b"{}", 400),
        ("/nothing", b"{}", 404),
        ("/health", b"{}", 405),
    ],
)
def test_errors_have_one_shape(client, path, body, status):
    answer = client.post(path, data=body, content_type="application/json")
    assert answer.status_code == status
    assert set(answer.get_json()) == {"error", "detail"}
    assert "Traceback" not in answer.text


def test_too_large_a_body_is_413(make_settings):
    client = create_app(make_settings(server={"max_body_bytes": 2000})).test_client()
    answer = client.post("/predict", data=b" " * 5000, content_type="application/json")
    assert answer.status_code == 413
    assert answer.get_json()["error"] == "request_entity_too_large"


def test_older_routes(client, file_server):
    version = set_up(client)
    assert client.get("/versions").get_json()["versions"] == [version]
    assert client.post("/versions", json={"project": "1.1700000000"}).get_json()["versions"] == [version]
    assert client.post("/validate", json={"config": CONFIG}).status_code == 200
    assert client.post("/validate", json={"config": "<View/>"}).status_code == 400
    assert client.post("/train", json={"annotations": []}).status_code == 201
    assert client.get("/is_training").get_json() == {"is_training": False}
    assert client.post("/job_status", json={"job": "1"}).get_json()["job_status"] == "completed"
    assert client.post("/delete", json={"project": "1.1"}).status_code == 200
    assert client.post("/duplicate_model", json={"project_src": "1.1", "project_dst": "2.2"}).status_code == 200
    assert b"prebrush_request_seconds_bucket" in client.get("/metrics").data


def test_a_browser_is_sent_to_the_playground_and_label_studio_is_not(client):
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 302
    assert client.get("/", headers={"Accept": "*/*"}).get_json()["status"] == "UP"
    assert json.loads(client.get("/health").data)["model_class"]
