"""Clicks, boxes and strokes: which method answers, which tag is filled, and what is prepared when."""

import time

import cv2
import numpy as np
import pytest

from prebrush.labelstudio import bitmask, rle
from prebrush.recipes import PromptRule
from prebrush.segmentation import METHODS
from prebrush.segmentation.method import knobs_of
from prebrush.web import create_app

from .asking import TASK, ask_marked, box, click, covered_by, mask_of, predict
from .conftest import CONFIG, draw_discs, write_image

CHOICES = {knob.name: knob for knob in knobs_of(PromptRule)}["method"].choices


@pytest.mark.parametrize("method", CHOICES)
def test_each_choice_gives_the_disc_that_is_clicked(client, discs, method):
    (region,) = ask_marked(
        client, click(40, 40), click(80, 120, positive=False), attributes=f'model_prompt_method="{method}"'
    )
    mask = mask_of(region)
    assert mask[40, 40]
    assert not mask[80, 120]
    truth = discs[:, :, 0] == 230
    if method == "superpixels":  # one piece of it a click
        assert (mask & truth).sum() > 0.9 * mask.sum()
    else:
        assert (mask & truth).sum() / (mask | truth).sum() > 0.8


def test_a_box_gives_what_is_in_it(client, discs):
    (region,) = ask_marked(client, box(50, 90, 112, 152))
    truth = discs[:, :, 2] == 240
    mask = mask_of(region)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.95


def test_the_choice_is_read_from_extra_parameters_and_checked(client, discs):
    body = {"project": "7.1", "schema": CONFIG, "hostname": "", "access_token": ""}
    client.post("/setup", json={**body, "extra_params": {"prompts": {"method": "superpixels"}}})
    assert predict(client, [TASK], project="7.1", context={"result": [click(40, 40)]}).status_code == 200
    client.post("/setup", json={**body, "extra_params": {"prompts": {"method": "magic"}}})
    answer = predict(client, [TASK], project="7.1", context={"result": [click(40, 40)]})
    assert answer.status_code == 400
    assert "random_walker" in answer.get_json()["detail"]


def test_marks_that_make_no_sense_get_an_empty_result_and_a_reason(client, discs, caplog):
    assert ask_marked(client, click(40, 40, positive=False)) == []
    assert "takes a positive click" in caplog.text
    answer = predict(client, [TASK], context={"result": [click(40, 40, positive=False)]}).get_json()
    assert "takes a positive click" in answer["results"][0]["detail"]


@pytest.fixture
def preparations():
    """Let images be prepared as they are, and note their shapes."""
    preparation = METHODS["prompt"].preparation
    real, shapes = preparation.prepare, []

    def noting(image):
        shapes.append(image.shape)
        return real(image)

    object.__setattr__(preparation, "prepare", noting)
    yield shapes
    object.__setattr__(preparation, "prepare", real)


def test_an_image_is_prepared_once_for_all_clicks_and_servers(client, discs, preparations, make_settings, file_server):
    for _ in range(3):
        assert ask_marked(client, click(40, 40))
    assert len(preparations) == 1
    file_server.asked.clear()
    # another server with the same storage, as after a restart
    assert ask_marked(create_app(make_settings()).test_client(), click(80, 120))
    assert len(preparations) == 1
    assert not file_server.asked


def test_prepared_images_have_a_bounded_share_of_the_storage(
    client, discs, preparations, make_settings, file_server, monkeypatch
):
    monkeypatch.setattr("prebrush.segmenter.STORED_PREPARED_BYTES", 1)
    crowded = create_app(make_settings()).test_client()
    assert ask_marked(crowded, click(40, 40))
    assert ask_marked(crowded, click(80, 120))
    assert len(preparations) == 1
    # what had to leave the storage is prepared anew by a server that wants it
    assert ask_marked(client, click(40, 40))
    assert len(preparations) == 2


def test_opening_a_task_prepares_its_image(client, discs, preparations):
    assert predict(client, [TASK]).status_code == 200
    deadline = time.monotonic() + 30
    while not preparations and time.monotonic() < deadline:
        time.sleep(0.02)
    assert preparations == [discs.shape]
    assert ask_marked(client, click(40, 40))
    assert len(preparations) == 1


def test_a_batch_and_a_project_that_wants_none_prepare_nothing(client, discs, preparations, monkeypatch):
    monkeypatch.setattr("prebrush.preparer.QUIET_S", 0.0)
    predict(client, [TASK, {**TASK, "id": 2}])
    predict(client, [TASK], config=CONFIG.replace('name="mask"', 'name="mask" model_prompt_prepare="false"'))
    predict(client, [TASK], config=CONFIG.replace('name="mask"', 'name="mask" model_prompt_method="grabcut"'))
    time.sleep(0.5)
    assert not preparations


def test_the_tag_with_the_marks_label_is_filled(client, discs):
    config = (
        '<View><Image name="image" value="$image"/>'
        '<BrushLabels name="mask" toName="image"><Label value="Car"/></BrushLabels>'
        '<PolygonLabels name="outline" toName="image"><Label value="Tree"/></PolygonLabels></View>'
    )

    def answer(label):
        marks = {"result": [click(40, 40, label=label)]}
        return predict(client, [TASK], config=config, context=marks).get_json()["results"][0]

    (car,), (tree,) = answer("Car")["result"], answer("Tree")["result"]
    assert (car["from_name"], tree["from_name"]) == ("mask", "outline")
    assert tree["value"]["polygonlabels"] == ["Tree"]
    # each tag has but one label, and a tool may call it what it likes
    assert answer("Thing")["result"][0]["value"]["brushlabels"] == ["Car"]


def test_a_label_that_no_tag_has_is_told(client, discs):
    config = CONFIG.replace("</BrushLabels>", '<Label value="Other"/></BrushLabels>')
    marks = {"result": [click(40, 40, label="Thing")]}
    entry = predict(client, [TASK], config=config, context=marks).get_json()["results"][0]
    assert entry["result"] == []
    assert "no tag to fill has the label 'Thing'" in entry["detail"]
    assert "Object, Other" in entry["detail"]


@pytest.mark.parametrize(("tool", "answered"), [("Tree", "t"), ("t", "t"), ("House", "House")])
def test_a_tool_may_call_a_label_by_its_value_where_the_tag_has_an_alias(client, discs, tool, answered):
    config = CONFIG.replace('<Label value="Object"/>', '<Label value="House"/><Label value="Tree" alias="t"/>')
    marks = {"result": [click(40, 40, label=tool)]}
    (region,) = predict(client, [TASK], config=config, context=marks).get_json()["results"][0]["result"]
    assert region["value"]["brushlabels"] == [answered]


def test_a_polygon_has_the_hole_that_a_negative_click_cuts(client, file_server):
    rings = np.full((120, 160, 3), 25, np.uint8)
    cv2.circle(rings, (80, 60), 45, (230, 220, 60), -1)
    cv2.circle(rings, (80, 60), 15, (90, 120, 240), -1)
    write_image(file_server.folder / "data/upload/discs.png", rings)
    config = CONFIG.replace("BrushLabels", "PolygonLabels")
    marks = {"result": [click(60, 45), click(60, 80, positive=False)]}
    (region,) = predict(client, [TASK], config=config, context=marks).get_json()["results"][0]["result"]
    found = covered_by(region)
    truth = rings[:, :, 0] == 230
    assert not found[60, 80]
    assert (found & truth).sum() / (found | truth).sum() > 0.9


def test_an_empty_stroke_gets_a_reason_and_no_whole_prediction(client, discs):
    empty = {"format": "rle", "rle": rle.encode_mask(np.zeros((120, 160), np.bool_)).tolist()}
    marks = {"result": [{"value": empty, "type": "brushlabels", "to_name": "image"}]}
    entry = predict(client, [TASK], context=marks).get_json()["results"][0]
    assert entry["result"] == []
    assert "nothing is marked" in entry["detail"]


def test_a_bitmask_is_a_stroke(client, discs):
    painted = np.zeros((120, 160), np.bool_)
    painted[35:45, 35:45] = True
    value = {"imageDataURL": bitmask.encode_data_url(painted), "bitmasklabels": ["Object"]}
    (region,) = ask_marked(client, {"value": value, "type": "bitmasklabels", "to_name": "image"})
    truth = discs[:, :, 0] == 230
    found = mask_of(region)
    assert found[painted].all()
    assert (found & truth).sum() / (found | truth).sum() > 0.9


def test_a_negative_rectangle_keeps_out(client, discs):
    out = {**box(10, 10, 70, 70), "is_positive": False}
    (region,) = ask_marked(client, click(80, 120), out)
    assert mask_of(region)[80, 120]
    assert not mask_of(region)[40, 40]


@pytest.mark.parametrize("method", list(METHODS))
def test_a_click_contains_what_it_marks(client, file_server, method):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    config = CONFIG.replace('name="mask"', f'name="mask" model_method="{method}"')
    mark = {"value": {"x": 25.0, "y": 33.3, "width": 1, "keypointlabels": ["Object"]}, "type": "keypointlabels"}
    context = {"result": [{**mark, "from_name": "p", "to_name": "image", "is_positive": True}]}
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    (region,) = predict(client, tasks, config=config, context=context).get_json()["results"][0]["result"]
    mask = mask_of(region)
    assert mask[40, 40]
    assert not mask[5, 150]


def test_every_pixel_can_be_clicked(client, file_server):
    noisy = draw_discs(60, 80)
    noisy[:, ::2] //= 2
    write_image(file_server.folder / "data/upload/busy.png", noisy)
    tasks = [{"id": 1, "data": {"image": "/data/upload/busy.png"}}]
    for row, col in np.random.default_rng(0).integers(0, (60, 80), (25, 2)).tolist():
        value = {"x": (col + 0.5) / 0.8, "y": (row + 0.5) / 0.6, "keypointlabels": ["Object"]}
        context = {"result": [{"value": value, "type": "keypointlabels", "to_name": "image", "is_positive": True}]}
        (region,) = predict(client, tasks, context=context).get_json()["results"][0]["result"]
        assert mask_of(region)[row, col]


def test_a_negative_click_on_a_method_that_reads_marks_stays_outside(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    config = CONFIG.replace('name="mask"', 'name="mask" model_method="grabcut"')
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]

    def mark(x, y, positive):
        value = {"x": x, "y": y, "keypointlabels": ["Object"]}
        return {"value": value, "type": "keypointlabels", "to_name": "image", "is_positive": positive}

    context = {"result": [mark(25.0, 33.3, True), mark(30.0, 38.0, False)]}
    (region,) = predict(client, tasks, config=config, context=context).get_json()["results"][0]["result"]
    assert mask_of(region)[40, 40]
    assert not mask_of(region)[45, 48]
