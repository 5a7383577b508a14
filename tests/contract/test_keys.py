"""What is kept under one key must be one thing: repeated images, every field of a control, versions of what is used."""

import dataclasses
import importlib
import inspect
import re

import pytest

from prebrush.datatypes import Control, Label
from prebrush.labelstudio.config import LabelConfig
from prebrush.planning import build_plan
from prebrush.recipes import versions_of
from prebrush.segmentation import METHODS
from prebrush.settings import Settings

from .asking import predict, set_up
from .conftest import CONFIG, draw_discs, write_image

BASE = Control("mask", "image", "BrushLabels", "image", labels=(Label("A"),), address="$image")
OTHER = {
    "from_name": "m2",
    "to_name": "i2",
    "tag": "PolygonLabels",
    "data_key": "photo",
    "is_list": True,
    "labels": (Label("B"),),
    "labels_key": "more",
    "labels_from": "names",
    "params": {"method": "kmeans"},
    "address": "$photo",
    "closable": True,
    "max_points": 4,
}


def test_a_repeated_image_is_another_task(client, file_server):
    for name in ("a", "b"):
        write_image(file_server.folder / f"data/upload/{name}.png", draw_discs()[:, :: 1 if name == "a" else -1])
    config = CONFIG.replace('value="$image"', 'valueList="$pages"')
    two = {"id": 1, "data": {"pages": ["/data/upload/a.png", "/data/upload/b.png"]}}
    three = {"id": 2, "data": {"pages": ["/data/upload/a.png", "/data/upload/b.png", "/data/upload/a.png"]}}
    swapped = {"id": 3, "data": {"pages": ["/data/upload/b.png", "/data/upload/a.png"]}}
    results = predict(client, [two, three, swapped], config=config).get_json()["results"]
    places = [{region["item_index"] for region in entry["result"]} for entry in results]
    assert places == [{0, 1}, {0, 1, 2}, {0, 1}]
    assert results[0]["result"][0]["value"] != results[2]["result"][0]["value"]


def test_every_field_of_a_control_is_listed():
    assert set(OTHER) == {field.name for field in dataclasses.fields(Control)}


@pytest.mark.parametrize("name", OTHER)
def test_every_field_of_a_control_changes_the_version(name):
    def version(control):
        plan = build_plan(LabelConfig(controls=(control,)), Settings(), "1.1", {})
        return plan.model_version, plan.fingerprint

    changed = version(dataclasses.replace(BASE, **{name: OTHER[name]}))
    base = version(BASE)
    assert changed[0] != base[0]
    assert changed[1] != base[1]


def test_a_method_stands_for_the_versions_of_those_it_uses():
    assert {"auto", "threshold", "watershed", "region_merging", "ridge"} <= set(versions_of(METHODS["auto"]))
    for name, method in METHODS.items():
        module = inspect.getmodule(method.function)
        assert set(method.uses) == methods_imported(module), name


def methods_imported(module, seen=()):
    """Find the methods that a module imports, and those that its parts beside ``methods/`` import, and theirs."""
    source = inspect.getsource(module)
    found = set(re.findall(r"segmentation\.methods\.(\w+) import", source))
    for names in re.findall(r"segmentation\.methods import (\([^)]*\)|.+)", source):
        found |= {name.split(" as ")[0].strip() for name in names.strip("()").split(",")} - {""}
    for part in re.findall(r"from prebrush\.segmentation\.(\w+) import", source):
        if part not in seen:
            inner = importlib.import_module(f"prebrush.segmentation.{part}")
            found |= methods_imported(inner, (*seen, part))
    return found


def test_a_wrong_rule_is_told_and_not_found_out_task_by_task(client):
    config = CONFIG.replace('name="mask"', 'name="mask" model_label_rule="size" model_label_bounds="1,2,3"')
    set_up(client, config=config)
    answer = predict(client, [{"id": 1, "data": {"image": "x"}}], config=config)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_params")
    assert client.post("/validate", json={"config": config}).status_code == 400


def test_asking_for_the_background_leaves_the_other_labels_alone(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    labels = '<Label value="Object"/><Label value="Rest" predicted_values="background"/>'
    config = CONFIG.replace('<Label value="Object"/>', labels).replace(
        'name="mask"', 'name="mask" model_method="threshold"'
    )
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    result = predict(client, tasks, config=config).get_json()["results"][0]["result"]
    assert [region["value"]["brushlabels"] for region in result] == [["Object"], ["Object"], ["Rest"]]


def test_dynamic_labels_may_name_classes_of_their_own(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    config = (
        '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image" value="$more" '
        'model_method="kmeans" model_n_clusters="2"><Label value="A" predicted_values="cluster-0"/>'
        "</BrushLabels></View>"
    )
    more = [{"value": "B", "predicted_values": "cluster-1"}]
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png", "more": more}}]
    result = predict(client, tasks, config=config).get_json()["results"][0]["result"]
    assert {region["value"]["brushlabels"][0] for region in result} == {"A", "B"}


def test_marks_on_an_image_without_a_tag_get_nothing(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    mark = {"value": {"x": 25.0, "y": 33.3, "keypointlabels": ["Object"]}, "type": "keypointlabels", "to_name": "other"}
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    answer = predict(client, tasks, context={"result": [mark]}).get_json()
    assert answer["results"][0]["result"] == []


def test_a_context_comes_with_one_task(client):
    tasks = [{"id": n, "data": {"image": "x"}} for n in range(2)]
    answer = predict(client, tasks, context={"result": []})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_body")


def test_a_long_value_is_cut_short_in_the_answer(client):
    set_up(client, extra={"regions": {"max": "x" * 500_000}})
    answer = predict(client, [{"id": 1, "data": {"image": "x"}}])
    assert answer.status_code == 400
    assert len(answer.data) < 1000


def test_too_much_to_keep_is_refused(client):
    answer = client.post(
        "/setup", json={"project": "1.1", "schema": CONFIG, "extra_params": {"params": {"a": "x" * 3_000_000}}}
    )
    assert answer.status_code == 400
    assert client.get("/versions").get_json()["versions"] == []
