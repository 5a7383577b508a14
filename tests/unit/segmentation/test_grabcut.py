"""What is special to GrabCut: boxes, marks that always hold, and bars on real objects."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from prebrush.datatypes import Prompt
from prebrush.segmentation import METHODS
from scenes import disc, iou, paint

GRABCUT = METHODS["grabcut"]


def find(image: np.ndarray, prompt: Prompt, **knobs: object) -> np.ndarray:
    return GRABCUT.segment(image, GRABCUT.parse_params(knobs), prompt).label_map > 0


def disc_scene(height: int = 90, width: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """A disc on ground with a second one of the same colour beside it."""
    truth = disc(height, width, 45, 40, 22)
    other = disc(height, width, 45, 100, 12)
    return paint((truth | other).astype(np.int32), [(60, 120, 60), (190, 80, 70)], noise=12.0), truth


def grow(box: tuple[int, int, int, int], shape: tuple[int, ...], share: float) -> tuple[int, int, int, int]:
    top, left, bottom, right = box
    down, across = round((bottom - top) * share), round((right - left) * share)
    return max(0, top - down), max(0, left - across), min(shape[0], bottom + down), min(shape[1], right + across)


def tight_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 0.3])
def test_finds_what_is_in_the_box(share: float) -> None:
    image, truth = disc_scene()
    assert iou(find(image, Prompt(boxes=(grow(tight_box(truth), truth.shape, share),))), truth) > 0.95


def test_outlines_keep_to_the_full_image() -> None:
    # far larger than what is solved at
    truth = disc(1200, 1500, 600, 700, 333)
    image = paint(truth.astype(np.int32), [(60, 120, 60), (190, 80, 70)], noise=12.0)
    assert iou(find(image, Prompt(boxes=(grow(tight_box(truth), truth.shape, 0.1),))), truth) > 0.985


def test_nothing_outside_the_boxes() -> None:
    image, _ = disc_scene()
    found = find(image, Prompt(boxes=((20, 15, 70, 65), (30, 85, 60, 117))))
    inside = np.zeros(found.shape, np.bool_)
    inside[20:70, 15:65] = inside[30:60, 85:117] = True
    assert not found[~inside].any()
    assert found[45, 40]
    assert found[45, 100]


def test_a_box_may_be_the_whole_image() -> None:
    truth = disc(80, 80, 40, 40, 26)
    image = paint(truth.astype(np.int32), [(60, 120, 60), (190, 80, 70)], noise=12.0)
    assert iou(find(image, Prompt(boxes=((0, 0, 80, 80),))), truth) > 0.95


@pytest.mark.parametrize("box", [(-20, -10, 70, 65), (20, 15, 500, 500), (89, 119, 90, 120), (200, 200, 300, 300)])
def test_boxes_near_and_beyond_the_border(box: tuple[int, int, int, int]) -> None:
    image, _ = disc_scene()
    found = find(image, Prompt(boxes=(box,)))
    assert found.shape == image.shape[:2]
    assert not found[: max(box[0], 0)].any()
    assert not found[:, : max(box[1], 0)].any()


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (45, 60, 46, 61), (89, 119, 95, 125), (10, 10, 12, 30)])
def test_thin_boxes_give_something_in_them(box: tuple[int, int, int, int]) -> None:
    found = find(disc_scene()[0], Prompt(boxes=(box,)))
    assert found[max(box[0], 0) : box[2], max(box[1], 0) : box[3]].any()
    place = (min(box[0], 89), min(box[1], 119))
    assert not find(disc_scene()[0], Prompt(boxes=(box,), points=((*place, False),)))[place]


def test_flat_images_hold_only_what_is_marked() -> None:
    image = np.full((50, 60, 3), 77, np.uint8)
    assert not find(image, Prompt(boxes=((10, 10, 40, 40),))).any()
    marked = find(image, Prompt(points=((20, 20, True),), boxes=((10, 10, 40, 40),)))
    assert marked[20, 20]


@pytest.mark.parametrize("seed", range(12))
def test_marks_always_hold(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(5, 400, 2))
    image = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), (0, 0), 4)
    points = tuple(
        {
            (int(rng.integers(height)), int(rng.integers(width))): bool(rng.random() < 0.5)
            for _ in range(int(rng.integers(1, 7)))
        }.items()
    )
    scribble = np.zeros((height, width), np.int8)
    for sign in (1, -1):
        ends = rng.integers(0, (width, height), (4, 2))
        scribble[cv2.polylines(np.zeros((height, width), np.uint8), [ends.astype(np.int32)], False, 1, 2) > 0] = sign
    boxes = ((height // 4, width // 4, height, width),) if seed % 2 else ()
    found = find(image, Prompt(tuple((*place, sign) for place, sign in points), boxes, scribble))
    for (row, col), _ in points:
        scribble[row, col] = 0
    assert found[scribble > 0].all()
    assert not found[scribble < 0].any()
    for place, sign in points:
        assert found[place] == sign


def test_a_negative_click_takes_a_part_away() -> None:
    # two parts of different colours in one box
    truth = np.zeros((90, 120), np.int32)
    truth[25:65, 20:60] = 1
    truth[25:65, 60:100] = 2
    image = paint(truth, [(60, 120, 60), (190, 80, 70), (80, 80, 200)], noise=8.0)
    box = (20, 15, 70, 105)
    assert iou(find(image, Prompt(boxes=(box,))), truth > 0) > 0.95
    carved = find(image, Prompt(points=((45, 40, True), (45, 80, False)), boxes=(box,)))
    assert iou(carved, truth == 1) > 0.95


def test_a_click_alone_finds_the_thing_around_it() -> None:
    image, truth = disc_scene()
    assert iou(find(image, Prompt(points=((45, 40, True),))), truth) > 0.9


def objects(folder: Path, domain: str) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Read images, objects, and what is decided at all."""
    found = []
    for item in json.loads((folder / "manifest.json").read_text())["items"]:
        if item["domain"] == domain:
            with Image.open(folder / item["image"]) as image, Image.open(folder / item["masks"][0]) as truth:
                numbers = np.array(truth)
                kept = numbers != 128 if domain == "objects" else np.ones(numbers.shape, np.bool_)
                found.append((np.array(image.convert("RGB")), (numbers > 0) & kept, kept))
    return found


@pytest.mark.parametrize(("domain", "bar"), [("objects", 0.81), ("wbc", 0.95)])
def test_loose_boxes_on_real_images(shared_data: Path, domain: str, bar: float) -> None:
    values = []
    for image, truth, kept in objects(shared_data, domain):
        for share in (0.1, 0.15):
            found = find(image, Prompt(boxes=(grow(tight_box(truth), truth.shape, share),)))
            values.append(iou(found & kept, truth))
    assert np.mean(values) > bar
