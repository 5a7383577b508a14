"""Two steps of the clean-up: touching objects are parted at their necks, boundaries move to the image's edges."""

from dataclasses import replace

import numpy as np
import pytest

from prebrush.datatypes import Segments
from prebrush.segmentation.cleanup import UNTOUCHED, clean
from prebrush.segmentation.parting import part_segments
from prebrush.segmentation.snapping import snap_to_edges
from scenes import disc, iou

TWO_DISCS = disc(60, 100, 30, 36, 16) | disc(60, 100, 30, 64, 16)


def test_touching_discs_are_parted_and_nothing_is_lost() -> None:
    parts, origin = part_segments(TWO_DISCS.astype(np.int32), 0.8)
    assert origin.tolist() == [0, 1, 1]
    assert np.array_equal(parts > 0, TWO_DISCS)
    left, right = parts[30, 36], parts[30, 64]
    assert iou(parts == left, TWO_DISCS & (np.arange(100) < 50)) > 0.97
    assert iou(parts == right, TWO_DISCS & (np.arange(100) >= 50)) > 0.97


def test_one_disc_and_a_low_neck_stay_whole() -> None:
    assert part_segments(disc(60, 100, 30, 36, 16).astype(np.int32), 0.9)[0].max() == 1
    assert part_segments(TWO_DISCS.astype(np.int32), 0.3)[0].max() == 1


def test_segments_that_touch_each_other_stay_apart() -> None:
    label_map = TWO_DISCS.astype(np.int32)
    label_map[30:][label_map[30:] > 0] = 2
    parts, origin = part_segments(label_map, 0.95)
    assert np.array_equal(origin[parts], label_map)
    numbers = np.unique(parts)
    assert numbers.tolist() == list(range(len(origin)))


def cells(seed: int) -> np.ndarray:
    """Voronoi cells of 40 places, which are convex."""
    rows, cols = np.mgrid[:200, :240]
    places = np.random.default_rng(seed).random((40, 2)) * (200, 240)
    return ((rows[..., None] - places[:, 0]) ** 2 + (cols[..., None] - places[:, 1]) ** 2).argmin(axis=2) + 1


def touching(kind: str) -> np.ndarray:
    rows, cols = np.mgrid[:60, :60]
    label_map = np.ones((60, 60), np.int32)
    if kind == "disc in a frame":
        label_map[disc(60, 60, 30, 30, 17)] = 2
    elif kind == "two triangles":
        label_map[rows > cols] = 2
    elif kind == "strip between rectangles":
        label_map[:, 29:31] = 2
        label_map[:, 31:] = 3
    elif kind == "corner to corner":
        label_map[:] = 0
        label_map[5:30, 5:30], label_map[30:50, 30:50] = 1, 2
    return label_map


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("neck", [0.1, 0.3])
def test_convex_cells_stay_whole(seed: int, neck: float) -> None:
    label_map = cells(seed).astype(np.int32)
    parts, origin = part_segments(label_map, neck)
    assert np.array_equal(origin[parts], label_map)
    assert len(origin) == len(np.unique(label_map)) + 1


@pytest.mark.parametrize("kind", ["disc in a frame", "two triangles", "strip between rectangles", "corner to corner"])
def test_segments_that_touch_keep_their_border_pixels(kind: str) -> None:
    label_map = touching(kind)
    parts, _ = part_segments(label_map, 0.3)
    assert np.array_equal(parts, label_map)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (30, 40)])
def test_a_segment_that_fills_the_image_stays_whole(shape: tuple[int, int]) -> None:
    parts, origin = part_segments(np.ones(shape, np.int32), 0.5)
    assert np.array_equal(parts, np.ones(shape, np.int32))
    assert origin.tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(8))
def test_any_label_map_is_covered_by_its_parts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label_map = rng.integers(0, 4, tuple(rng.integers(1, 30, 2)), np.int32)
    parts, origin = part_segments(label_map, rng.random())
    assert np.array_equal(origin[parts], label_map)
    snapped = snap_to_edges(label_map, rng.integers(0, 256, (*label_map.shape, 3), np.uint8), 3.0)
    assert set(np.unique(snapped)) == set(np.unique(label_map))


def test_a_sloppy_outline_moves_to_the_edge() -> None:
    truth = disc(80, 80, 40, 40, 22)
    image = np.where(truth[..., None], 190, 60).astype(np.uint8).repeat(3, axis=2)
    sloppy = disc(80, 80, 42, 37, 21)
    assert iou(sloppy, truth) < 0.85
    assert iou(snap_to_edges(sloppy.astype(np.int32), image, 6.0) > 0, truth) > 0.97
    # without an edge within reach it stays about where it is
    assert iou(snap_to_edges(sloppy.astype(np.int32), np.full_like(image, 90), 6.0) > 0, sloppy) > 0.9


def test_both_are_steps_of_the_clean_up() -> None:
    image = np.where(TWO_DISCS[..., None], 190, 60).astype(np.uint8).repeat(3, axis=2)
    segments = Segments(TWO_DISCS.astype(np.int32), classes=("cell",))
    parted = clean(segments, image, replace(UNTOUCHED, part_touching=0.8, snap_to_edges=2.0))
    assert parted.classes == ("cell", "cell")
    assert iou(parted.label_map > 0, TWO_DISCS) > 0.98
