import json
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebrush.datatypes import Prompt
from prebrush.errors import InvalidPrompt
from prebrush.labelstudio import rle
from prebrush.labelstudio.prompts import PromptTarget, build_prompt, find_target

HEIGHT, WIDTH = 40, 60


def mark(value: dict, **more) -> dict:
    return {"value": value, "to_name": "image", **more}


def build(*marks: dict, height: int = HEIGHT, width: int = WIDTH) -> Prompt:
    return build_prompt({"result": list(marks)}, height, width)


def rectangle(x: float, y: float, width: float, height: float, rotation: float = 0) -> dict:
    return {"x": x, "y": y, "width": width, "height": height, "rotation": rotation, "rectanglelabels": ["Object"]}


@pytest.mark.parametrize("context", [{}, {"result": []}, {"result": None}])
def test_nothing_marked(context: dict) -> None:
    assert not build_prompt(context, HEIGHT, WIDTH)
    assert find_target(context) == PromptTarget()


def test_the_recorded_key_points(recorded) -> None:
    context = recorded("predict_interactive_keypoints_negative")["request"]["body"]["params"]["context"]
    prompt = build_prompt(context, 400, 600)
    assert prompt.points == ((162, 300, True), (333, 71, False))
    assert (prompt.label, prompt.boxes, prompt.scribble) == ("Object", (), None)
    assert find_target(context) == PromptTarget("image", None, "Object")


def test_the_recorded_rectangle(recorded) -> None:
    context = recorded("predict_interactive_rectangle")["request"]["body"]["params"]["context"]
    prompt = build_prompt(context, 400, 600)
    assert prompt.boxes == ((124, 186, 238, 414),)
    assert (prompt.label, prompt.points, prompt.scribble) == ("Object", (), None)


def test_only_percent_counts(recorded) -> None:
    context = recorded("predict_interactive_rectangle")["request"]["body"]["params"]["context"]
    assert build_prompt(context, 800, 1200).boxes == ((248, 371, 476, 829),)


def test_the_recorded_brush_stroke(recorded) -> None:
    context = recorded("predict_interactive_brush")["request"]["body"]["params"]["context"]
    prompt = build_prompt(context, 400, 600)
    mask = rle.decode_mask(context["result"][0]["value"]["rle"], 400, 600)
    assert prompt.label == "Defect"
    assert np.array_equal(prompt.scribble == 1, mask)
    assert mask.any()
    smaller = build_prompt(context, 200, 300).scribble
    assert smaller.shape == (200, 300)
    assert abs(smaller.mean() - mask.mean()) < 0.01


def test_a_negative_stroke() -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[3:9, 4:20] = True
    value = {"format": "rle", "rle": rle.encode_mask(mask).tolist()}
    prompt = build(mark(value, is_positive=False, original_width=WIDTH, original_height=HEIGHT))
    assert np.array_equal(prompt.scribble, -mask.astype(np.int8))


@pytest.mark.parametrize(
    ("x", "y", "point"),
    [(0, 0, (0, 0)), (100, 100, (39, 59)), (-5, 300, (39, 0)), (50, 50, (20, 30)), (99.99, 0.01, (0, 59))],
)
def test_key_points_at_and_beyond_the_border(x: float, y: float, point: tuple) -> None:
    assert build(mark({"x": x, "y": y, "width": 0.3})).points == ((*point, True),)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (rectangle(0, 0, 100, 100), (0, 0, 40, 60)),
        (rectangle(-10, -10, 30, 30), (0, 0, 8, 12)),
        (rectangle(90, 90, 50, 50), (36, 54, 40, 60)),
        (rectangle(50, 50, 0.1, 0.1), (20, 30, 21, 31)),
        (rectangle(99.99, 99.99, 5, 5), (39, 59, 40, 60)),
        (rectangle(50, 50, -20, -20), (12, 18, 20, 30)),
    ],
)
def test_rectangles_are_clipped_and_never_thinner_than_a_pixel(shape: dict, box: tuple) -> None:
    prompt = build(mark(shape))
    assert prompt.boxes == (box,)
    assert prompt.scribble is None


@pytest.mark.parametrize(
    "shape",
    [rectangle(101, 10, 20, 20), rectangle(-30, 10, 20, 20), rectangle(10, 100, 20, 20), rectangle(10, -9, 9, 9)],
)
def test_a_rectangle_wholly_outside(shape: dict) -> None:
    with pytest.raises(InvalidPrompt, match="wholly outside the image of 60x40"):
        build(mark(shape))


@pytest.mark.parametrize("shape", [rectangle(10, 10, 0, 20), rectangle(10, 10, 20, 0), {"points": [[5, 5]] * 3}])
def test_an_empty_shape(shape: dict) -> None:
    with pytest.raises(InvalidPrompt, match="empty"):
        build(mark(shape))


def test_a_rotated_rectangle_rules_out_the_corners_of_its_box() -> None:
    # 20 x 10 pixels about the image's centre, turned by 90 degrees clockwise about its top left corner
    upright = build(mark(rectangle(50, 25, 100 * 20 / WIDTH, 100 * 10 / HEIGHT, rotation=90)))
    assert upright.boxes == ((10, 20, 30, 30),)
    assert upright.scribble is None
    tilted = build(mark(rectangle(50, 10, 100 * 20 / WIDTH, 100 * 20 / HEIGHT, rotation=45)))
    ((top, left, bottom, right),) = tilted.boxes
    assert (bottom - top, right - left) == (28, 28)
    assert tilted.scribble[top, left] == tilted.scribble[bottom - 1, right - 1] == -1
    assert tilted.scribble[(top + bottom) // 2, (left + right) // 2] == 0
    outside = (tilted.scribble == -1).sum()
    assert outside == pytest.approx(28 * 28 - 400, abs=45)


def test_an_ellipse() -> None:
    value = {"x": 50, "y": 50, "radiusX": 100 * 20 / WIDTH, "radiusY": 100 * 10 / HEIGHT, "ellipselabels": ["Object"]}
    prompt = build(mark(value))
    assert prompt.boxes == ((10, 10, 30, 50),)
    assert prompt.scribble[10, 10] == -1
    # pixels on the line itself are not ruled out
    assert 120 < (prompt.scribble == -1).sum() < 800 - np.pi * 200
    assert build(mark({**value, "rotation": 90})).boxes == ((0, 20, 40, 40),)


@pytest.mark.parametrize(
    "value",
    [{"points": [[0, 0], [50, 0], [0, 50]]}, {"vertices": [{"x": 0, "y": 0}, {"x": 50, "y": 0}, {"x": 0, "y": 50}]}],
)
def test_polygons_and_vectors(value: dict) -> None:
    prompt = build(mark(value))
    assert prompt.boxes == ((0, 0, 20, 30),)
    assert (prompt.scribble[1, 1], prompt.scribble[19, 29]) == (0, -1)


def test_what_one_shape_holds_another_does_not_rule_out() -> None:
    triangle = {"points": [[0, 0], [50, 0], [0, 50]]}
    corner = rectangle(40, 40, 10, 10)
    for marks in ([mark(triangle), mark(corner)], [mark(corner), mark(triangle)]):
        assert (build(*marks).scribble[16:20, 24:30] == 0).all()


def test_strokes_count_more_than_shapes_and_later_ones_more_than_earlier() -> None:
    triangle = mark({"points": [[0, 0], [50, 0], [0, 50]]})
    everywhere = {"format": "rle", "rle": rle.encode_mask(np.ones((HEIGHT, WIDTH), bool)).tolist()}
    corner = np.zeros((HEIGHT, WIDTH), bool)
    corner[:2, :2] = True
    small = mark({"format": "rle", "rle": rle.encode_mask(corner).tolist()}, is_positive=False)
    for marks in ([triangle, mark(everywhere), small], [mark(everywhere), small, triangle]):
        assert np.array_equal(build(*marks).scribble, np.where(corner, -1, 1))
    assert (build(small, mark(everywhere)).scribble == 1).all()


@pytest.mark.parametrize("kind", ["rectangle", "ellipse", "stroke"])
def test_many_marks_take_the_memory_of_a_few(kind: str) -> None:
    side = 1000
    value = {
        "rectangle": rectangle(0, 0, 100, 100),
        "ellipse": {"x": 50, "y": 50, "radiusX": 50, "radiusY": 50},
        "stroke": {"format": "rle", "rle": rle.encode_mask(np.ones((side, side), bool)).tolist()},
    }[kind]
    marks = [mark(value)] * 50
    tracemalloc.start()
    try:
        build(*marks, height=side, width=side)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * side * side


def test_a_mark_sent_twice_for_its_separate_label_counts_once() -> None:
    bare = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0}
    prompt = build(mark(bare, id="a", type="rectangle"), mark({**bare, "labels": ["Object"]}, id="a", type="labels"))
    assert len(prompt.boxes) == 1
    assert prompt.label == "Object"


def test_only_marks_on_the_last_marks_image_count() -> None:
    first = mark({"x": 10, "y": 10}, item_index=0)
    second = mark({"x": 50, "y": 50}, item_index=1)
    assert build(first, second).points == ((20, 30, True),)
    assert find_target({"result": [first, second]}) == PromptTarget("image", 1)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ("x", r"context\.result: expected array or null, got str"),
        (["x"], r"context\.result\[0\]: expected object, got str"),
        ([{"value": 5}], r"context\.result\[0\]\.value: expected object, got int"),
        ([{"value": {"x": 1}}], r"result\[0\]\.value\.y: expected a number, got NoneType"),
        ([{"value": {"x": "1", "y": 1}}], r"value\.x: expected a number, got str"),
        ([{"value": {"x": True, "y": 1}}], r"value\.x: expected a number, got bool"),
        ([{"value": {"x": float("nan"), "y": 1}}], "nan is not a percentage"),
        ([{"value": {"x": 1e300, "y": 1}}], "is not a percentage"),
        ([{"value": {"points": [[1, 2], [3]]}}], "a list of 3 to 10000 points"),
        ([{"value": {"points": [[1, 2], [3], [4, 5]]}}], r"points\[1\]: expected x and y"),
        ([{"value": {"vertices": [1, 2, 3]}}], r"vertices\[0\]: expected x and y"),
        ([{"value": {"text": "a cat"}}], r"no key point, rectangle, ellipse, polygon, brush stroke \(rle\) or bitmask"),
        ([{"value": {"rle": [1, 2]}}], "cut off"),
        ([{"value": {"rle": "xx"}}], "must be a list of numbers"),
        ([{"value": {"rle": rle.encode_mask(np.zeros((HEIGHT, WIDTH), np.bool_)).tolist()}}], "strokes are empty"),
        ([{"value": {"imageDataURL": "data:image/png;base64,AAAA"}}], "a bitmask cannot be decoded"),
        ([{"value": {"imageDataURL": 5}}], "a bitmask is a PNG in a data URL"),
        ([{"value": {"rle": [0] * 20}, "original_width": 10**9, "original_height": 10**9}], "brush mask"),
        ([{"value": {"x": 1, "y": 1}}] * 101, "at most 100 are"),
    ],
)
def test_nonsense_is_refused_by_name(marks, message: str) -> None:
    with pytest.raises(InvalidPrompt, match=message):
        build_prompt({"result": marks}, HEIGHT, WIDTH)


NUMBERS = st.floats(-200, 300) | st.integers(-(10**30), 10**30) | st.none() | st.floats()
VALUES = st.dictionaries(
    st.sampled_from(["x", "y", "width", "height", "rotation", "radiusX", "radiusY", "rle", "points", "labels"]),
    NUMBERS | st.lists(st.integers(0, 300) | st.lists(NUMBERS, max_size=3), max_size=5) | st.just(["Object"]),
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.fixed_dictionaries({"value": VALUES}), max_size=3))
def test_any_marks_become_a_prompt_within_the_image_or_are_refused(marks: list[dict]) -> None:
    with suppress(InvalidPrompt):
        prompt = build(*marks)
        assert all(0 <= row < HEIGHT and 0 <= column < WIDTH for row, column, _ in prompt.points)
        assert all(0 <= t < b <= HEIGHT and 0 <= left < right <= WIDTH for t, left, b, right in prompt.boxes)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 59), st.integers(0, 39), st.integers(1, 60), st.integers(1, 40))
def test_a_pixel_box_survives_the_way_through_percent(left: int, top: int, width: int, height: int) -> None:
    right, bottom = min(left + width, WIDTH), min(top + height, HEIGHT)
    shape = rectangle(
        100 * left / WIDTH, 100 * top / HEIGHT, 100 * (right - left) / WIDTH, 100 * (bottom - top) / HEIGHT
    )
    prompt = build(mark(json.loads(json.dumps(shape))))
    assert prompt.boxes == ((top, left, bottom, right),)
    assert prompt.scribble is None
