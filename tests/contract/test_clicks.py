"""Clicks, boxes and strokes: which method answers, what is prepared when, and regions that are there already."""

import json
import time

import cv2
import numpy as np
import pytest

from prebrush.labelstudio import rle
from prebrush.recipes import PromptRule
from prebrush.segmentation import METHODS
from prebrush.segmentation.method import knobs_of
from prebrush.web import create_app

from .conftest import CONFIG, draw_discs, write_image
from .test_predict import mask_of, predict

TASK = {"id": 1, "data": {"image": "/data/upload/discs.png"}}
CHOICES = {knob.name: knob for knob in knobs_of(PromptRule)}["method"].choices


@pytest.fixture
def discs(file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    return draw_discs()


def click(row, col, positive=True, label="Object"):
    value = {"x": (col + 0.5) / 1.6, "y": (row + 0.5) / 1.2, "keypointlabels": [label]}
    return {"value": value, "type": "keypointlabels", "to_name": "image", "from_name": "p", "is_positive": positive}


def box(top, left, bottom, right):
    value = {"x": left / 1.6, "y": top / 1.2, "width": (right - left) / 1.6, "height": (bottom - top) / 1.2}
    value |= {"rotation": 0, "rectanglelabels": ["Object"]}
    return {"value": value, "type": "rectanglelabels", "to_name": "image", "from_name": "b"}


def ask(client, *marks, attributes="", task=TASK):
    config = CONFIG.replace('name="mask"', f'name="mask" {attributes}')
    answer = predict(client, [task], config=config, context={"result": list(marks)})
    assert answer.status_code == 200, answer.data
    return answer.get_json()["results"][0]["result"]


@pytest.mark.parametrize("method", CHOICES)
def test_each_choice_gives_the_disc_that_is_clicked(client, discs, method):
    (region,) = ask(client, click(40, 40), click(80, 120, positive=False), attributes=f'model_prompt_method="{method}"')
    mask = mask_of(region)
    assert mask[40, 40]
    assert not mask[80, 120]
    truth = discs[:, :, 0] == 230
    if method == "superpixels":  # one piece of it a click
        assert (mask & truth).sum() > 0.9 * mask.sum()
    else:
        assert (mask & truth).sum() / (mask | truth).sum() > 0.8


def test_a_box_gives_what_is_in_it(client, discs):
    (region,) = ask(client, box(50, 90, 112, 152))
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
    assert ask(client, click(40, 40, positive=False)) == []
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
        assert ask(client, click(40, 40))
    assert len(preparations) == 1
    file_server.asked.clear()
    # another server with the same storage, as after a restart
    assert ask(create_app(make_settings()).test_client(), click(80, 120))
    assert len(preparations) == 1
    assert not file_server.asked


def test_prepared_images_have_a_bounded_share_of_the_storage(
    client, discs, preparations, make_settings, file_server, monkeypatch
):
    monkeypatch.setattr("prebrush.segmenter.STORED_PREPARED_BYTES", 1)
    crowded = create_app(make_settings()).test_client()
    assert ask(crowded, click(40, 40))
    assert ask(crowded, click(80, 120))
    assert len(preparations) == 1
    # what had to leave the storage is prepared anew by a server that wants it
    assert ask(client, click(40, 40))
    assert len(preparations) == 2


def test_opening_a_task_prepares_its_image(client, discs, preparations):
    assert predict(client, [TASK]).status_code == 200
    deadline = time.monotonic() + 30
    while not preparations and time.monotonic() < deadline:
        time.sleep(0.02)
    assert preparations == [discs.shape]
    assert ask(client, click(40, 40))
    assert len(preparations) == 1


def test_a_batch_and_a_project_that_wants_none_prepare_nothing(client, discs, preparations, monkeypatch):
    monkeypatch.setattr("prebrush.preparer.QUIET_S", 0.0)
    predict(client, [TASK, {**TASK, "id": 2}])
    predict(client, [TASK], config=CONFIG.replace('name="mask"', 'name="mask" model_prompt_prepare="false"'))
    predict(client, [TASK], config=CONFIG.replace('name="mask"', 'name="mask" model_prompt_method="grabcut"'))
    time.sleep(0.5)
    assert not preparations


def drawn(mask, region_id="left", **changes):
    value = {"format": "rle", "rle": rle.encode_mask(mask).tolist(), "brushlabels": ["Object"]}
    region = {"id": region_id, "from_name": "mask", "to_name": "image", "type": "brushlabels", "value": value}
    return {**TASK, "drafts": [{"result": [{**region, **changes}], "updated_at": "2026-01-01"}]}


def left_half(discs):
    mask = discs[:, :, 0] == 230
    mask[:, 40:] = False
    return mask


def test_a_click_beside_a_region_of_its_label_extends_it(client, discs):
    half = left_half(discs)
    (region,) = ask(client, click(40, 43), attributes='model_prompt_refine="true"', task=drawn(half))
    assert region["id"] == "left"
    mask = mask_of(region)
    assert mask[half].all()
    truth = discs[:, :, 0] == 230
    assert (mask & truth).sum() / truth.sum() > 0.9


def test_a_negative_click_on_a_region_carves_what_it_means(client, discs):
    both = discs.max(axis=2) > 100
    (region,) = ask(client, click(80, 120, positive=False), attributes='model_prompt_refine="true"', task=drawn(both))
    mask = mask_of(region)
    assert region["id"] == "left"
    assert mask[40, 40]
    assert not mask[80, 120]
    assert (mask & (discs[:, :, 2] == 240)).sum() < 0.1 * both.sum()


@pytest.mark.parametrize(
    ("attributes", "changes", "row"),
    [
        ("", {}, 40),  # not asked for
        ('model_prompt_refine="true"', {"from_name": "other"}, 40),
        ('model_prompt_refine="true"', {"value": {"format": "rle", "rle": [1, 2, 3], "brushlabels": ["Object"]}}, 40),
        ('model_prompt_refine="true"', {"value": "?"}, 40),
        ('model_prompt_refine="true"', {}, 80),  # far from it
    ],
)
def test_other_regions_are_left_alone(client, discs, attributes, changes, row):
    (region,) = ask(client, click(row, 43 if row == 40 else 120), attributes=attributes,
                    task=drawn(left_half(discs), **changes))  # fmt: skip
    assert region["id"] != "left"


def test_the_newest_draft_counts_before_annotations(client, discs):
    half = left_half(discs)
    task = drawn(half, "old")
    task["drafts"].append({**drawn(half, "new")["drafts"][0], "updated_at": "2026-01-02"})
    task["annotations"] = [{**drawn(half, "saved")["drafts"][0], "updated_at": "2026-01-03"}]
    (region,) = ask(client, click(40, 43), attributes='model_prompt_refine="true"', task=task)
    assert region["id"] == "new"


def test_a_box_touches_a_region_only_if_it_covers_half_of_it(client, discs):
    task = drawn(cv2.circle(np.zeros((120, 160), np.uint8), (40, 40), 10, 1, -1) > 0)
    (region,) = ask(client, box(15, 15, 65, 65), attributes='model_prompt_refine="true"', task=task)
    assert region["id"] == "left"
    (region,) = ask(client, box(45, 45, 112, 152), attributes='model_prompt_refine="true"', task=task)
    assert region["id"] != "left"


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


def test_a_negative_rectangle_keeps_out(client, discs):
    out = {**box(10, 10, 70, 70), "is_positive": False}
    (region,) = ask(client, click(80, 120), out)
    assert mask_of(region)[80, 120]
    assert not mask_of(region)[40, 40]


def test_a_turned_box_beside_a_region_only_adds(client, discs):
    half = left_half(discs)
    turned = box(20, 40, 60, 60)
    turned["value"]["rotation"] = 20
    (region,) = ask(client, click(40, 43), turned, attributes='model_prompt_refine="true"', task=drawn(half))
    assert region["id"] == "left"
    assert mask_of(region)[half].all()


def test_what_is_no_text_in_a_draft_is_passed_over(client, discs):
    body = b'{"tasks": [{"id": 1, "data": {"image": "/data/upload/discs.png"}, "drafts": [{"result": "\xff"}]}], '
    config = CONFIG.replace('name="mask"', 'name="mask" model_prompt_refine="true"')
    rest = json.dumps({"label_config": config, "params": {"context": {"result": [click(40, 40)]}}}).encode()[1:]
    answer = client.post("/predict", data=body + rest, content_type="application/json")
    assert len(answer.get_json()["results"][0]["result"]) == 1
