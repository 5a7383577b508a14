import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from skimage import measure

from prebrush.datatypes import Control, Prediction, Region
from prebrush.labelstudio.config import parse_label_config
from prebrush.labelstudio.result import (
    NOT_READY,
    encode_entry,
    encode_prediction,
    encode_response,
    fresh_id,
    join_results,
    stable_id,
)
from prebrush.labelstudio.tags import REGION_TAGS

decode_rle = pytest.importorskip("label_studio_sdk.converter.brush").decode_rle
LabelInterface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface

HEIGHT, WIDTH = 60, 90
LABELS = '<Label value="Cat"/><Label value="Dog" alias="d"/>'


def scene() -> np.ndarray:
    """Background, a disc, a bar, and a number in two parts."""
    label_map = np.zeros((HEIGHT, WIDTH), np.int32)
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    label_map[(rows - 20) ** 2 + (columns - 20) ** 2 <= 144] = 1
    label_map[45:55, 10:80] = 2
    label_map[5:15, 50:60] = 3
    label_map[20:30, 70:90] = 3
    return label_map


def config_of(tag: str, separate: bool = False, attributes: str = "") -> str:
    if separate:
        inner = f'<{tag} name="t" toName="image" {attributes}/><Labels name="l" toName="image">{LABELS}</Labels>'
    else:
        labels = LABELS if tag.endswith("Labels") else ""
        inner = f'<{tag} name="t" toName="image" {attributes}>{labels}</{tag}>'
    return f'<View><Image name="image" value="$image"/>{inner}</View>'


def encode(xml: str, segments: tuple[int, ...] = (1, 2), score: float | None = 0.5, **more) -> list[dict]:
    (control,) = parse_label_config(xml).controls
    regions = tuple(
        Region(number, control.labels[number % 2].name if control.labels else "", score, control, f"id{number}")
        for number in segments
    )
    text = encode_prediction(Prediction(scene(), regions, **more))
    assert b"null" not in text
    return json.loads(text)


def judge(xml: str, results: list[dict]) -> None:
    """Let the official SDK find fault."""
    faults = LabelInterface(xml).validate_prediction(
        {"result": results, "model_version": "v", "score": 0.5}, return_errors=True
    )
    assert faults == []


WITH_SEPARATE_LABELS = [tag for tag in REGION_TAGS if not tag.endswith("Labels")]


@pytest.mark.parametrize("tag", REGION_TAGS)
def test_the_official_sdk_accepts_every_tag(tag: str) -> None:
    xml = config_of(tag)
    results = encode(xml)
    assert [result["id"] for result in results] == ["id1", "id2"]
    for result in results:
        assert (result["type"], result["from_name"], result["to_name"]) == (tag.lower(), "t", "image")
        assert (result["original_width"], result["original_height"], result["image_rotation"]) == (WIDTH, HEIGHT, 0)
        assert result["score"] == 0.5
        assert "item_index" not in result
    if tag.endswith("Labels"):
        assert [result["value"][tag.lower()] for result in results] == [["d"], ["Cat"]]
    judge(xml, results)


@pytest.mark.parametrize("tag", WITH_SEPARATE_LABELS)
def test_a_separate_labels_tag_gets_a_second_result_as_the_editor_stores_it(tag: str) -> None:
    xml = config_of(tag, separate=True)
    results = encode(xml)
    assert [(r["id"], r["type"], r["from_name"]) for r in results] == [
        ("id1", tag.lower(), "t"),
        ("id1", "labels", "l"),
        ("id2", tag.lower(), "t"),
        ("id2", "labels", "l"),
    ]
    shape, labeled = results[0]["value"], results[1]["value"]
    assert labeled == {**shape, "labels": ["d"]}
    judge(xml, results)


@pytest.mark.parametrize("tag", WITH_SEPARATE_LABELS)
def test_without_a_label_there_is_no_labels_key(tag: str) -> None:
    for result in encode(config_of(tag)):
        assert not [key for key in result["value"] if "labels" in key]


@pytest.mark.parametrize("tag", ["BrushLabels", "Brush"])
def test_masks_decode_to_their_segments_background_included(tag: str) -> None:
    for segments in ((1, 2, 3), (2,), (0, 2), (3, 0, 1, 2)):
        results = encode(config_of(tag), segments)
        for number, result in zip(segments, results, strict=True):
            pixels = decode_rle(result["value"]["rle"]).reshape(HEIGHT, WIDTH, 4)
            assert np.array_equal(pixels[:, :, 3], np.where(scene() == number, 255, 0))


def test_bitmasks_are_transparent_outside() -> None:
    for number, result in zip((1, 0), encode(config_of("BitmaskLabels"), (1, 0)), strict=True):
        head, _, payload = result["value"]["imageDataURL"].partition(",")
        assert head == "data:image/png;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(payload))).convert("RGBA")
        assert np.array_equal(np.asarray(picture)[:, :, 3], np.where(scene() == number, 255, 0))


def test_rectangles_are_tight() -> None:
    (result,) = encode(config_of("RectangleLabels"), (2,))
    value = {key: result["value"][key] for key in ("x", "y", "width", "height", "rotation")}
    assert value == {"x": 11.1111, "y": 75, "width": 77.7778, "height": 16.6667, "rotation": 0}
    whole = Prediction(np.ones((7, 3), np.int32), (Region(1, "", None, Control("t", "image", "Rectangle", "i"), "a"),))
    (result,) = json.loads(encode_prediction(whole))
    assert result["value"] == {"x": 0, "y": 0, "width": 100, "height": 100, "rotation": 0}


def fill(points: list) -> np.ndarray:
    corners = np.array(points) * (WIDTH, HEIGHT) / 100
    return measure.grid_points_in_poly((HEIGHT, WIDTH), corners[:, ::-1] - 0.5)


def test_polygons_have_a_region_for_each_part() -> None:
    results = encode(config_of("PolygonLabels"), (1, 3))
    assert [result["id"] for result in results] == ["id1", "id3", "id3-2"]
    assert all(result["value"]["closed"] is True for result in results)
    disc, second, first = (fill(result["value"]["points"]) for result in results)
    assert (disc & (scene() == 1)).sum() / (disc | (scene() == 1)).sum() > 0.95
    assert np.array_equal(first | second, scene() == 3)


def test_a_closable_vector_is_a_ring() -> None:
    (result,) = encode(config_of("VectorLabels", attributes='closable="true"'), (2,))
    vertices = result["value"]["vertices"]
    assert result["value"]["closed"] is True
    assert len(vertices) == 4
    assert [vertex["prevPointId"] for vertex in vertices] == [vertices[place - 1]["id"] for place in range(4)]
    assert np.array_equal(fill([(vertex["x"], vertex["y"]) for vertex in vertices]), scene() == 2)


def test_other_vectors_are_lines_that_return_to_where_they_began() -> None:
    (result,) = encode(config_of("Vector"), (2,))
    vertices = result["value"]["vertices"]
    assert result["value"]["closed"] is False
    assert "prevPointId" not in vertices[0]
    assert [vertex["prevPointId"] for vertex in vertices[1:]] == [vertex["id"] for vertex in vertices[:-1]]
    assert len({vertex["id"] for vertex in vertices}) == len(vertices) == 5
    assert (vertices[0]["x"], vertices[0]["y"]) == (vertices[-1]["x"], vertices[-1]["y"])


@pytest.mark.parametrize("closable", ["true", "false"])
def test_a_vector_keeps_to_its_tags_limit(closable: str) -> None:
    (result,) = encode(config_of("Vector", attributes=f'maxPoints="6" closable="{closable}"'), (1,))
    assert 4 <= len(result["value"]["vertices"]) <= 6


@pytest.mark.parametrize(("score", "written"), [(0.123456789, 0.1235), (1.0, 1.0), (np.float32(0.5), 0.5)])
def test_scores_are_rounded(score: float, written: float) -> None:
    assert encode(config_of("Brush"), (1,), score)[0]["score"] == written


@pytest.mark.parametrize("score", [None, float("nan"), float("inf")])
def test_without_a_score_nothing_is_written(score: float | None) -> None:
    assert "score" not in encode(config_of("Brush"), (1,), score)[0]
    assert json.loads(encode_entry(b"[]", score, "v")) == {"result": [], "model_version": "v"}


def test_images_of_one_task() -> None:
    (control,) = parse_label_config(config_of("Brush").replace("value=", "valueList=")).controls
    first = Prediction(scene(), (Region(1, "", None, control, "a"),), item_index=0)
    second = Prediction(scene()[:, :40].copy(), (Region(1, "", None, control, "b"),), item_index=1)
    results = json.loads(join_results([encode_prediction(first), encode_prediction(second)]))
    assert [(result["item_index"], result["original_width"]) for result in results] == [(0, 90), (1, 40)]


def test_nothing_found() -> None:
    assert encode_prediction(Prediction(scene(), ())) == b"[]"
    assert join_results([b"[]", b"[]"]) == join_results([]) == b"[]"


def test_two_regions_with_one_id_are_a_mistake() -> None:
    region = Region(1, "", None, Control("t", "image", "Brush", "i"), "a")
    with pytest.raises(ValueError, match="two regions have the id 'a'"):
        encode_prediction(Prediction(scene(), (region, region)))


@pytest.mark.parametrize("tag", WITH_SEPARATE_LABELS)
@pytest.mark.parametrize("number", [4, -1])
def test_a_number_the_label_map_has_not_is_a_mistake(tag: str, number: int) -> None:
    region = Region(number, "", None, Control("t", "image", tag, "i"), "a")
    with pytest.raises(ValueError, match=f"a region has the number {number}"):
        encode_prediction(Prediction(scene(), (region,)))


@pytest.mark.parametrize("tag", ["Rectangle", "Polygon", "Bitmask", "Vector"])
def test_a_number_without_pixels_has_no_shape(tag: str) -> None:
    label_map = np.where(scene() == 2, 3, scene()).astype(np.int32)
    region = Region(2, "", None, Control("t", "image", tag, "i"), "a")
    with pytest.raises(ValueError, match="no pixel"):
        encode_prediction(Prediction(label_map, (region,)))


def test_the_answer_around_the_regions() -> None:
    entry = encode_entry(encode_prediction(Prediction(scene(), ())), 0.75, 'v"1')
    answer = json.loads(encode_response([entry, NOT_READY], 'v"1'))
    assert answer == {"results": [{"result": [], "score": 0.75, "model_version": 'v"1'}, []], "model_version": 'v"1'}
    assert json.loads(encode_response([], "v")) == {"results": [], "model_version": "v"}


def test_ids() -> None:
    fresh = {fresh_id() for _ in range(100)}
    assert len(fresh) == 100
    for name in [*fresh, stable_id("x", 1)]:
        assert len(name) == 10
        assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert stable_id("a", 1) == stable_id("a", 1) == stable_id("a", "1")
    assert len({stable_id("a", 1), stable_id("a1"), stable_id("", "a1"), stable_id("a", 2), stable_id(1, "a")}) == 5
