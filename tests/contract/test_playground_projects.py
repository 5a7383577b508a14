"""The playground's projects: tasks as photos, settings saved, and shown to whom they may be."""

import json

import pytest

from prebrush.web import create_app
from prebrush.web.playground_projects import may_see_projects

from .conftest import CONFIG, draw_discs, write_image
from .playground_calls import ask

PROJECT = "1.1700000000"


@pytest.fixture
def connected(client, file_server):
    """A client whose server knows a project with two tasks."""
    client.post("/setup", json={"project": PROJECT, "schema": CONFIG, "hostname": file_server.url, "access_token": "t"})
    for name in ("one.png", "two.png"):
        write_image(file_server.folder / "data/upload/1" / name, draw_discs())
    tasks = [
        {"id": 5, "data": {"image": "/data/upload/1/one.png"}},
        {"id": 6, "data": {"image": "/data/upload/1/two.png"}},
    ]
    (file_server.folder / "api").mkdir()
    (file_server.folder / "api/tasks").write_text(json.dumps({"tasks": tasks, "total": 2}))
    return client


def test_tasks_of_a_project_are_photos_without_being_opened_in_label_studio(connected, file_server):
    (project,) = connected.get("/playground/projects").get_json()["projects"]
    assert project["project"] == PROJECT
    told = connected.get(f"/playground/project?project={PROJECT}").get_json()
    assert [task["id"] for task in told["tasks"]] == [5, 6]
    assert told["labels"] == [{"name": "Object", "predicted_values": []}]
    assert told["tag"] == {"kind": "BrushLabels", "name": "mask", "toName": "image"}
    assert told["choice"]["method"] == "auto"
    image = connected.post("/playground/task", json={"project": PROJECT, "task": 6}).get_json()
    assert (image["height"], image["width"]) == draw_discs().shape[:2]
    head, _ = ask(connected, image["image"], choice={"method": "threshold"})
    assert head["segments"] == 2
    assert not [path for path in file_server.asked if path.startswith("/api/tasks/")]
    assert connected.post("/playground/task", json={"project": PROJECT, "task": 99}).status_code == 404
    assert connected.post("/playground/task", json={"project": "2.1", "task": 5}).status_code == 400
    assert connected.get("/playground/project?project=2.1").status_code == 400


def test_projects_are_called_by_their_titles_where_label_studio_tells_them(connected, file_server):
    setup = {"schema": CONFIG, "hostname": file_server.url, "access_token": "t"}
    connected.post("/setup", json={**setup, "project": "2.1700000000"})
    # nothing is there yet that could tell
    assert connected.get("/playground/titles").get_json() == {"titles": {}}
    (file_server.folder / "api/projects").mkdir()
    told = file_server.folder / "api/projects/index.html"
    told.write_text(json.dumps({"results": [{"id": 1, "title": "Röntgen <b>"}, {"id": 3, "title": "other"}]}))
    assert connected.get("/playground/titles").get_json() == {"titles": {PROJECT: "Röntgen <b>"}}
    for odd in ('["no object"]', '{"results": 5}', '{"results": [7, {"id": 1}, {"id": 1, "title": 5}]}', "no JSON"):
        told.write_text(odd)
        assert connected.get("/playground/titles").get_json() == {"titles": {}}


def version_of(client) -> str:
    return client.get("/versions").get_json()["versions"][0]


def predict(client) -> dict:
    body = {
        "project": PROJECT,
        "label_config": CONFIG,
        "tasks": [{"id": 5, "data": {"image": "/data/upload/1/one.png"}}],
    }
    return client.post("/predict", json=body).get_json()


def test_a_saved_setting_is_the_projects_and_lasts(connected, make_settings, file_server):
    before = predict(connected)
    choice = {"method": "threshold", "regions": {"max": 1}}
    saved = connected.post("/playground/save", json={"project": PROJECT, "choice": choice}).get_json()
    assert saved["note"] == ""
    after = predict(connected)
    assert after["model_version"] == saved["model_version"] == version_of(connected) != before["model_version"]
    assert len(after["results"][0]["result"]) == 1
    # Label Studio says the same again, and the server starts anew
    again = create_app(make_settings()).test_client()
    setup = {"project": PROJECT, "schema": CONFIG, "hostname": file_server.url, "access_token": "t"}
    assert again.post("/setup", json=setup).get_json()["model_version"] == saved["model_version"]
    back = again.post("/playground/save", json={"project": PROJECT, "choice": {}}).get_json()
    assert back["model_version"] == before["model_version"]


def test_what_is_nearer_than_a_saved_setting_wins_and_is_told(make_settings, file_server):
    settings = make_settings(projects={"1": {"method": "multi_otsu"}}, default={"method": "slic"})
    client = create_app(settings).test_client()
    setup = {"project": PROJECT, "schema": CONFIG, "hostname": file_server.url, "access_token": "t"}
    assert "multi_otsu" in client.post("/setup", json=setup).get_json()["model_version"]
    saved = client.post("/playground/save", json={"project": PROJECT, "choice": {"method": "kmeans"}}).get_json()
    assert "kmeans" in saved["model_version"]
    extra = {**setup, "extra_params": {"method": "threshold"}}
    assert "threshold" in client.post("/setup", json=extra).get_json()["model_version"]
    saved = client.post("/playground/save", json={"project": PROJECT, "choice": {"method": "kmeans"}}).get_json()
    assert "threshold" in saved["model_version"]
    assert "mask" in saved["note"]


def test_a_setting_that_does_not_fit_is_refused_and_nothing_changes(connected):
    before = version_of(connected)
    for choice in ({"method": "nothing"}, {"params": {"scale": 1}, "method": "kmeans"}, {"unknown": 1}, {"": 1}):
        response = connected.post("/playground/save", json={"project": PROJECT, "choice": choice})
        assert response.status_code == 400, choice
    assert connected.post("/playground/save", json={"project": "3.1", "choice": {}}).status_code == 400
    assert version_of(connected) == before


@pytest.mark.parametrize(
    ("server", "host", "is_seen"),
    [
        ({}, "127.0.0.1:9090", True),
        ({}, "localhost", True),
        ({}, "[::1]:9090", True),
        ({}, "rebound.example:9090", False),
        ({"host": "0.0.0.0"}, "127.0.0.1:9090", False),
        ({"host": "0.0.0.0", "basic_auth_user": "u", "basic_auth_pass": "p"}, "prebrush.example", True),
    ],
)
def test_projects_are_for_this_machine_or_behind_a_password(make_settings, server, host, is_seen):
    assert may_see_projects(make_settings(server=server), host) is is_seen


def test_where_projects_may_not_be_seen_nothing_of_them_is_told(connected):
    foreign = {"Host": "10.0.0.7:9090"}
    assert connected.get("/playground/projects", headers=foreign).get_json() == {"projects": []}
    assert connected.get("/playground/titles", headers=foreign).get_json() == {"titles": {}}
    assert connected.get(f"/playground/project?project={PROJECT}", headers=foreign).status_code == 403
    for route in ("task", "save"):
        response = connected.post(f"/playground/{route}", json={"project": PROJECT}, headers=foreign)
        assert response.status_code == 403
