"""Boxes, and shapes that come as boxes with strokes: cut once, and clicks go on from there."""

from collections import OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from prebrush.datatypes import Prompt
from prebrush.labelstudio.prompts import build_prompt
from prebrush.segmentation import METHODS, prompt_boxes
from prebrush.segmentation.methods.prompt import Params, Prepared, find_object, prepare, segment
from scenes import disc, iou, spotted_discs


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(spotted_discs()[0])


def test_boxes(prepared: Prepared) -> None:
    box = (25, 10, 95, 80)
    inside = np.zeros((120, 160), np.bool_)
    inside[25:95, 10:80] = True
    mask = find_object(prepared, Prompt(boxes=(box,)))
    assert iou(mask, spotted_discs()[1]) > 0.9
    assert not mask[~inside].any()
    carved = find_object(prepared, Prompt(boxes=(box,), points=((60, 45, False),)))
    assert not carved[60, 45]
    assert find_object(prepared, Prompt(boxes=((0, 0, 120, 160),))).any()


def test_a_click_after_a_box_leaves_the_rest_of_the_object(prepared: Prepared) -> None:
    box = (20, 5, 100, 90)
    truth = spotted_discs()[1]
    before = find_object(prepared, Prompt(boxes=(box,)))
    edge = np.argwhere(before & ~truth)
    place = tuple(edge[0].tolist()) if len(edge) else (60, 20)
    after = find_object(prepared, Prompt(boxes=(box,), points=((*place, False),)))
    assert not after[place]
    assert iou(after, truth) > 0.9


@pytest.mark.parametrize("place", [(45, 84), (30, 70), (90, 14)])
def test_a_negative_click_in_a_loose_box_keeps_most_of_the_object(place: tuple[int, int]) -> None:
    image, truth = spotted_discs()
    # something else of the object's colour beside it, in the box
    image[place[0] - 5 : place[0] + 6, place[1] - 5 : place[1] + 6] = (180, 70, 60)
    mask = find_object(prepare(image), Prompt(boxes=((18, 5, 102, 92),), points=((*place, False),)))
    assert not mask[place]
    assert iou(mask, truth) > 0.9


def bar_scene() -> tuple[np.ndarray, np.ndarray]:
    """A slanted bar in two colours, on noisy ground; beside it, within its box, two things of the same colours."""
    rng = np.random.default_rng(1)
    rows, cols = np.mgrid[:120, :160]
    along, across = (cols - 80) * 0.8 + (rows - 60) * 0.6, (rows - 60) * 0.8 - (cols - 80) * 0.6
    bar = (abs(along) < 55) & (abs(across) < 14)
    image = np.full((120, 160, 3), (60, 110, 60), np.uint8)
    image[bar] = (190, 60, 50)
    image[bar & (along > 0)] = (60, 70, 180)
    image[28:44, 104:122] = (190, 60, 50)
    image[78:94, 40:56] = (60, 70, 180)
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8), bar


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "polygon"])
@pytest.mark.parametrize("clicked", [False, True])
def test_shapes_that_do_not_fill_their_box_give_the_object(kind: str, clicked: bool) -> None:
    image, truth = bar_scene()
    middle, slant = np.array([80.0, 60.0]), np.array([[0.8, 0.6], [-0.6, 0.8]])
    corners = middle + np.array([(-59, -18), (59, -18), (59, 18), (-59, 18)]) @ slant
    percent = np.array([100 / 160, 100 / 120])
    angle = float(np.degrees(np.arctan2(0.6, 0.8)))
    x, y = (corners[0] * percent).tolist()
    values = {
        "rectangle": {"x": x, "y": y, "width": 118 / 1.6, "height": 36 / 1.2, "rotation": angle},
        "ellipse": {"x": 50, "y": 50, "radiusX": 68 / 1.6, "radiusY": 26 / 1.2, "rotation": angle},
        "polygon": {"points": (corners * percent).tolist()},
    }
    prompt = build_prompt({"result": [{"value": values[kind]}]}, 120, 160)
    assert prompt.scribble is not None
    outside = (88, 80)
    if clicked:
        prompt = replace(prompt, points=((*outside, False),))
    mask = find_object(prepare(image), prompt)
    assert iou(mask, truth) > 0.85
    assert not mask[prompt.scribble < 0].any()


def test_boxes_are_answered_as_by_grabcut() -> None:
    grabcut = METHODS["grabcut"]
    strokes = np.zeros((120, 160), np.int8)
    strokes[25:95, 10:80] = disc(120, 160, 60, 45, 30)[25:95, 10:80].astype(np.int8) - 1
    # an outline that cuts through the object takes no more of it than it says
    through = np.zeros((120, 160), np.int8)
    through[25:95, 10:80] = disc(120, 160, 66, 45, 24)[25:95, 10:80].astype(np.int8) - 1
    for scribble in (None, strokes, through):
        prompt = Prompt(boxes=((25, 10, 95, 80),), scribble=scribble)
        expected = grabcut.segment(spotted_discs()[0], grabcut.params_class(), prompt).label_map
        assert np.array_equal(segment(spotted_discs()[0], Params(), prompt), expected)


def test_a_box_is_cut_once_for_all_clicks_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_boxes, "_cuts", OrderedDict())
    image = np.ascontiguousarray(spotted_discs()[0][::-1])
    ready = prepare(image)
    cuts: list[Prompt] = []
    cut = prompt_boxes.grabcut.segment

    def counted(image: np.ndarray, params: Any, prompt: Prompt) -> np.ndarray:
        cuts.append(prompt)
        return cut(image, params, prompt)

    monkeypatch.setattr(prompt_boxes.grabcut, "segment", counted)
    box = (25, 10, 95, 80)
    first = find_object(ready, Prompt(boxes=(box,)))
    clicked = find_object(ready, Prompt(boxes=(box,), points=((60, 45, False),)))
    assert np.array_equal(find_object(ready, Prompt(boxes=(box,))), first)
    assert not clicked[60, 45]
    assert len(cuts) == 1
    # another image of the same size, another box and strokes in it are cut themselves
    find_object(prepare(spotted_discs()[0]), Prompt(boxes=(box,)))
    find_object(ready, Prompt(boxes=((25, 10, 95, 81),)))
    strokes = np.zeros(image.shape[:2], np.int8)
    strokes[30:34, 12:20] = -1
    find_object(ready, Prompt(boxes=(box,), scribble=strokes))
    assert len(cuts) == 4


def test_only_the_last_cuts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_boxes, "_cuts", OrderedDict())
    image = np.ascontiguousarray(spotted_discs()[0][::3, ::3])
    for place in range(prompt_boxes.REMEMBERED + 5):
        prompt_boxes.cut_boxes(image, Prompt(boxes=((0, 0, 2 + place % 30, 2 + place),)))
    assert len(prompt_boxes._cuts) == prompt_boxes.REMEMBERED


@pytest.mark.parametrize("box", [(-30, -30, -2, -2), (500, 500, 600, 600), (-20, -20, 4, 4), (118, 3, 119, 4)])
def test_boxes_on_and_beyond_the_border(prepared: Prepared, box: tuple[int, int, int, int]) -> None:
    mask = find_object(prepared, Prompt(boxes=(box,)))
    top, left, bottom, right = np.clip(box, 0, (120, 160, 120, 160))
    mask[top:bottom, left:right] = False
    assert not mask.any()
    assert find_object(prepared, Prompt(boxes=(box,), points=((60, 45, True),)))[60, 45]
