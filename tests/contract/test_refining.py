"""Marks that touch a region which is there already: it is changed, where the project wants that."""

import json

import cv2
import numpy as np
import pytest

from prebrush.datatypes import Prediction, Region
from prebrush.labelstudio import rle
from prebrush.labelstudio.config import parse_label_config
from prebrush.labelstudio.result import encode_prediction
from prebrush.labelstudio.tags import REGION_TAGS

from .asking import TASK, ask_marked, box, click, covered_by, mask_of, predict
from .conftest import CONFIG


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
    (region,) = ask_marked(client, click(40, 43), attributes='model_prompt_refine="true"', task=drawn(half))
    assert region["id"] == "left"
    mask = mask_of(region)
    assert mask[half].all()
    truth = discs[:, :, 0] == 230
    assert (mask & truth).sum() / truth.sum() > 0.9


def test_a_negative_click_on_a_region_carves_what_it_means(client, discs):
    both = discs.max(axis=2) > 100
    (region,) = ask_marked(
        client, click(80, 120, positive=False), attributes='model_prompt_refine="true"', task=drawn(both)
    )
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
    (region,) = ask_marked(client, click(row, 43 if row == 40 else 120), attributes=attributes,
                    task=drawn(left_half(discs), **changes))  # fmt: skip
    assert region["id"] != "left"


def test_the_newest_draft_counts_before_annotations(client, discs):
    half = left_half(discs)
    task = drawn(half, "old")
    task["drafts"].append({**drawn(half, "new")["drafts"][0], "updated_at": "2026-01-02"})
    task["annotations"] = [{**drawn(half, "saved")["drafts"][0], "updated_at": "2026-01-03"}]
    (region,) = ask_marked(client, click(40, 43), attributes='model_prompt_refine="true"', task=task)
    assert region["id"] == "new"


def test_a_box_touches_a_region_only_if_it_covers_half_of_it(client, discs):
    task = drawn(cv2.circle(np.zeros((120, 160), np.uint8), (40, 40), 10, 1, -1) > 0)
    (region,) = ask_marked(client, box(15, 15, 65, 65), attributes='model_prompt_refine="true"', task=task)
    assert region["id"] == "left"
    (region,) = ask_marked(client, box(45, 45, 112, 152), attributes='model_prompt_refine="true"', task=task)
    assert region["id"] != "left"


def test_a_turned_box_beside_a_region_only_adds(client, discs):
    half = left_half(discs)
    turned = box(20, 40, 60, 60)
    turned["value"]["rotation"] = 20
    (region,) = ask_marked(client, click(40, 43), turned, attributes='model_prompt_refine="true"', task=drawn(half))
    assert region["id"] == "left"
    assert mask_of(region)[half].all()


def test_what_is_no_text_in_a_draft_is_passed_over(client, discs):
    body = b'{"tasks": [{"id": 1, "data": {"image": "/data/upload/discs.png"}, "drafts": [{"result": "\xff"}]}], '
    config = CONFIG.replace('name="mask"', 'name="mask" model_prompt_refine="true"')
    rest = json.dumps({"label_config": config, "params": {"context": {"result": [click(40, 40)]}}}).encode()[1:]
    answer = client.post("/predict", data=body + rest, content_type="application/json")
    assert len(answer.get_json()["results"][0]["result"]) == 1


def config_of(tag):
    """A tag to fill, with labels of its own or beside a separate tag with them."""
    labels = '<Label value="Object" alias="o"/><Label value="Other"/>'
    if tag.endswith("Labels"):
        inner = f'<{tag} name="mask" toName="image" model_prompt_refine="true">{labels}</{tag}>'
    else:
        inner = f'<{tag} name="mask" toName="image" model_prompt_refine="true"/>'
        inner += f'<Labels name="names" toName="image">{labels}</Labels>'
    return f'<View><Image name="image" value="$image"/>{inner}</View>'


def draw(config, mask, label, region_id="left"):
    """Make the results that the editor would store for a region with this mask."""
    (control,) = parse_label_config(config).controls
    region = Region(1, label, None, control, region_id)
    return json.loads(encode_prediction(Prediction(mask.astype(np.int32), (region,))))


def answer(client, config, stored, *marks):
    task = {**TASK, "drafts": [{"result": stored, "updated_at": "2026-01-01"}]}
    return predict(client, [task], config=config, context={"result": list(marks)}).get_json()["results"][0]["result"]


@pytest.mark.parametrize("tag", REGION_TAGS)
def test_regions_of_every_kind_are_extended(client, discs, tag):
    config, half = config_of(tag), left_half(discs)
    truth = discs[:, :, 0] == 230
    regions = answer(client, config, draw(config, half, "o"), click(40, 43))
    assert {region["id"] for region in regions} == {"left"}
    assert regions[-1]["value"][regions[-1]["type"]] == ["o"]
    mask = covered_by(regions[-1])
    assert (mask & half).sum() > 0.95 * half.sum()
    assert (mask & truth).sum() > 0.9 * truth.sum()
    # a region of another label is no region to extend
    regions = answer(client, config, draw(config, half, "Other"), click(40, 43))
    assert "left" not in {region["id"] for region in regions}


@pytest.mark.parametrize("tag", [tag for tag in REGION_TAGS if tag.startswith(("Brush", "Bitmask", "Polygon"))])
def test_regions_of_every_kind_are_carved(client, discs, tag):
    config = config_of(tag)
    mask = np.zeros((120, 160), np.bool_)
    mask[10:70, 10:70] = True
    regions = answer(client, config, draw(config, mask, "Object"), click(15, 15, positive=False))
    assert regions[0]["id"] == "left"
    carved = covered_by(regions[0])
    assert carved[40, 40]
    assert not carved[15, 15]
