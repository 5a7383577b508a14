"""The dashboard and the alert rules ask for metrics and labels that the server shows."""

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from prebrush.batch.board import Board
from prebrush.measures import STAGES
from prebrush.settings import Settings, StorageSettings
from prebrush.web import create_app
from redis_servers import redis_server, require_redis_server

MONITORING = Path(__file__).resolve().parents[1] / "docker/monitoring"
ADDED_BY_PROMETHEUS = {"instance", "job"}


def alert_rules() -> list[dict]:
    content = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


def dashboard() -> dict:
    return json.loads((MONITORING / "dashboard.json").read_text())


def expressions() -> list[str]:
    asked = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return asked + [rule["expr"] for rule in alert_rules()]


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> dict[str, set[str]]:
    """Give the labels of every metric of a server that has something to show under each."""
    storage = StorageSettings(url=f"sqlite:///{tmp_path_factory.mktemp('monitored')}/data")
    app = create_app(Settings(storage=storage))
    client = app.test_client()
    client.post("/webhook", json={"action": "TASKS_CREATED"})
    config = (
        '<View><Image name="i" value="$i"/><BrushLabels name="m" toName="i"><Label value="A"/></BrushLabels></View>'
    )
    images = ["/data/upload/unreachable.png", f"data:image/svg+xml,{'x' * 8}"]
    tasks = [{"id": number, "data": {"i": image}} for number, image in enumerate(images)]
    assert client.post("/predict", json={"tasks": tasks, "label_config": config}).status_code == 200
    png = base64.b64encode(cv2.imencode(".png", np.eye(8, dtype=np.uint8) * 255)[1].tobytes()).decode()
    pixel = f"data:image/png;base64,{png}"
    answer = client.post("/predict", json={"tasks": [{"id": 1, "data": {"i": pixel}}], "label_config": config})
    assert answer.get_json()["results"][0] != []
    found: dict[str, set[str]] = {}
    for text in (client.get("/metrics").text, metrics_with_a_run(tmp_path_factory.mktemp("redis"))):
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def metrics_with_a_run(folder: Path) -> str:
    """Return what a server shows on whose Redis workers have a run."""
    require_redis_server()
    facts = {"title": "", "version": "v", "only_missing": False, "first": 1, "last": 9, "total": 9, "wanted": 9}
    with redis_server(folder) as server:
        client = server.client()
        Board.create(client, project=7, key="7.1", width=50, **facts)
        client.close()
        app = create_app(Settings(storage=StorageSettings(url=server.url)))
        return app.test_client().get("/metrics").text


@pytest.mark.parametrize("expression", expressions())
def test_metrics_and_labels_exist(expression, shown):
    names = set(re.findall(r"\b(?:prebrush|process)_\w+", expression))
    assert names <= shown.keys() or expression.startswith("up{")
    labels = set().union(*(shown[name] for name in names)) | ADDED_BY_PROMETHEUS
    used = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(r",\s*", group)}
    used |= set(re.findall(r"[{,]\s*(\w+)(?:=~?|!=)", expression))
    assert used <= labels, used - labels
    assert expression.count("(") == expression.count(")")
    assert set(re.findall(r'stage="(\w+)"', expression)) <= set(STAGES)


def test_rules_are_whole():
    rules = alert_rules()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}
        grouped = re.findall(r"by \(([^)]*)\)", rule["expr"])
        for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            assert label == "instance" or all(label in group for group in grouped)


def test_every_metric_of_ours_is_on_the_dashboard(shown):
    drawn = " ".join(target["expr"] for panel in dashboard()["panels"] for target in panel["targets"])
    for name in shown:
        if name.startswith("prebrush_") and not name.endswith("_created"):
            assert re.sub(r"_(bucket|count|sum|total|info)$", "", name) in drawn, name


def test_panels_do_not_overlap():
    panels = dashboard()["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)
