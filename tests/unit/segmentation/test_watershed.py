"""The flooding against scikit-image, the joining of basins, markers from marks, and nuclei."""

import heapq
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image
from skimage.segmentation import watershed

from prebrush import segment
from prebrush.datatypes import Prompt
from prebrush.segmentation import METHODS
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.kernels.basins import merge_basins
from prebrush.segmentation.kernels.flooding import flood
from prebrush.segmentation.markers import BACKGROUND, OBJECT, draw_markers
from scenes import average_precision, disc, equal_brightness, iou, overlaps, paint

NUCLEI = Path(__file__).resolve().parents[2] / "images"


def smooth_noise(seed: int, sigma: float, shape: tuple[int, int] = (90, 110)) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random(shape), (0, 0), sigma)
    return (noise - noise.min()) / np.ptp(noise)


def some_markers(seed: int, mask: np.ndarray, count: int = 25) -> np.ndarray:
    markers = np.zeros(mask.shape, np.int32)
    places = np.random.default_rng(seed).choice(np.flatnonzero(mask), count, replace=False)
    markers.ravel()[places] = np.arange(1, count + 1)
    return markers


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("compactness", [0.0, 100.0])
def test_equals_scikit_image_on_distinct_values(seed: int, diagonal: bool, compactness: float) -> None:
    relief = np.random.default_rng(seed).permutation(90 * 110).reshape(90, 110).astype(np.uint16)
    mask = smooth_noise(seed, 3) > 0.4
    markers = some_markers(seed, mask)
    expected = watershed(
        relief, markers, mask=mask, connectivity=2 if diagonal else 1, compactness=compactness
    )  # fmt: skip
    assert np.array_equal(flood(relief, markers, mask, compactness, diagonal=diagonal), expected)


def lowest_passes(relief: np.ndarray, markers: np.ndarray) -> np.ndarray:
    """Return for each pixel the highest level on the lowest way to any of the markers' pixels."""
    passes = np.full(relief.shape, np.inf)
    queue = [(float(relief[at]), at) for at in zip(*np.nonzero(markers), strict=True)]
    heapq.heapify(queue)
    while queue:
        level, (row, col) = heapq.heappop(queue)
        if level >= passes[row, col]:
            continue
        passes[row, col] = level
        for near in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
            if 0 <= near[0] < relief.shape[0] and 0 <= near[1] < relief.shape[1]:
                heapq.heappush(queue, (max(level, float(relief[near])), near))
    return passes


@pytest.mark.parametrize("seed", range(3))
def test_every_pixel_is_reached_over_the_lowest_pass_where_values_tie(seed: int) -> None:
    relief = (smooth_noise(seed, 4, (60, 70)) * 20).astype(np.uint16)
    everywhere = np.ones(relief.shape, np.bool_)
    markers = some_markers(seed, everywhere, 12)
    flooded = flood(relief, markers, everywhere)
    lowest = lowest_passes(relief, markers)
    for number in range(1, 13):
        own = lowest_passes(relief, np.where(markers == number, number, 0))
        assert np.array_equal(own[flooded == number], lowest[flooded == number])


def test_water_meets_in_the_middle_of_a_plain() -> None:
    markers = np.zeros((5, 21), np.int32)
    markers[2, 0], markers[2, 20] = 1, 2
    flooded = flood(np.full(markers.shape, 9, np.uint16), markers, markers >= 0)
    assert (flooded[:, :10] == 1).all()
    assert (flooded[:, 11:] == 2).all()


def test_what_no_water_reaches_stays_background() -> None:
    mask = np.ones((4, 9), np.bool_)
    mask[:, 4] = False
    markers = np.zeros(mask.shape, np.int32)
    markers[1, 1] = 1
    markers[0, 4] = 2  # outside the mask
    flooded = flood(np.zeros(mask.shape, np.uint16), markers, mask)
    assert (flooded[:, :4] == 1).all()
    assert not flooded[:, 4:].any()


@pytest.mark.parametrize(
    ("neck", "depth", "left"), [(1.0, 0.0, 3), (0.8, 0.0, 2), (0.4, 0.0, 1), (1.0, 4.0, 2), (1.0, 11.0, 1)]
)
def test_basins_join_over_high_passes(neck: float, depth: float, left: int) -> None:
    heights = np.array([[5, 20, 17, 20, 12, 10, 20, 2]], np.uint16)
    label_map = np.array([[1, 1, 2, 2, 2, 3, 3, 0]], np.int32)
    merged, numbers = merge_basins(label_map, heights, 3, neck, depth)
    assert merged.max() == left
    assert merged[0, 7] == 0
    assert np.array_equal(numbers[label_map], merged)


def touching_discs(gap: int, noise: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    truth = np.zeros((80, 120), np.int32)
    truth[disc(80, 120, 40, 60 + gap, 20)] = 2
    truth[disc(80, 120, 40, 60 - gap, 20) & (np.arange(120) < 60)] = 1
    truth[:, :60][truth[:, :60] == 2] = 1
    return paint(truth, [(20, 20, 20), (180, 180, 180), (180, 180, 180)], noise), truth


def test_touching_objects_are_parted_at_their_neck() -> None:
    image, truth = touching_discs(17)
    found = segment(image, method="watershed").label_map
    assert found.max() == 2
    assert average_precision(truth, found) == 1
    assert overlaps(truth, found)[1:, 1:].max(axis=1).min() > 0.9


def test_what_has_no_neck_stays_whole() -> None:
    assert segment(touching_discs(6)[0], method="watershed").label_map.max() == 1
    assert segment(touching_discs(17)[0], method="watershed", neck=0.3).label_map.max() == 1


def test_dim_objects_keep_their_size_beside_bright_ones() -> None:
    truth = np.zeros((90, 200), np.int32)
    truth[disc(90, 200, 45, 50, 25)] = 1
    truth[disc(90, 200, 45, 150, 25)] = 2
    image = cv2.GaussianBlur(paint(truth, [(10,) * 3, (250,) * 3, (150,) * 3], 2.0), (0, 0), 4)

    def worst(local: bool) -> float:
        found = segment(image, method="watershed", local=local, channel="gray", polarity="bright").label_map
        return float(overlaps(truth, found)[1:, 1:].max(axis=1).min())

    assert worst(local=True) > 0.93
    assert worst(local=True) > worst(local=False)


def test_small_objects_are_cut_out_of_larger_things() -> None:
    height, width = 300, 400
    numbers, truth = np.zeros((height, width), np.int32), np.zeros((height, width), np.int32)
    for number, (row, col) in enumerate(((70, 80), (80, 240), (210, 130), (220, 310), (290, 20)), start=1):
        nucleus = disc(height, width, row - 8, col + 10, 5)
        numbers[disc(height, width, row, col, 45 + 5 * number)] = 1
        truth[nucleus] = number
    cloudy = smooth_noise(0, 15, (height, width))[..., None]
    image = paint(numbers, [(235,) * 3, (215,) * 3], 3.0) - numbers[..., None] * cloudy * 110
    image[truth > 0] = 50
    image = image.clip(0, 255).astype(np.uint8)
    assert average_precision(truth, segment(image, method="watershed").label_map) == 1
    assert iou(segment(image, method="watershed", nested=False).label_map > 0, truth > 0) < 0.1


def test_folds_and_grain_of_the_larger_things_are_no_nuclei() -> None:
    height, width = 300, 400
    rng = np.random.default_rng(5)
    numbers, truth = np.zeros((height, width), np.int32), np.zeros((height, width), np.int32)
    for number, (row, col) in enumerate(((70, 80), (80, 240), (210, 130), (220, 310)), start=1):
        numbers[disc(height, width, row, col, 60)] = 1
        truth[disc(height, width, row - 8, col + 10, 6)] = number
    image = paint(numbers, [(235,) * 3, (190,) * 3], 2.0)
    for row, col in ((100, 60), (240, 150)):
        cv2.line(image, (col - 25, row), (col + 25, row + 6), (60,) * 3, 3)  # as dark as nuclei, but long
    for row, col in zip(rng.integers(50, 110, 12), rng.integers(210, 270, 12), strict=True):
        cv2.circle(image, (int(col), int(row)), 2, (135,) * 3, -1)  # as round, but fainter
    image[truth > 0] = 50
    image = cv2.GaussianBlur(image, (0, 0), 0.7)
    assert average_precision(truth, segment(image, method="watershed").label_map) == 1


def test_gradient_markers_divide_the_image() -> None:
    scene = equal_brightness()
    found = segment(scene.image, method="watershed", markers="gradient", sigma=1.5, depth=10).label_map
    assert found.min() == 1
    assert overlaps(scene.truth, found)[1].max() > 0.9
    finer = segment(scene.image, method="watershed", markers="gradient", sigma=1.5, depth=0).label_map
    assert finer.max() > found.max()


def test_compactness_makes_rounder_regions() -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)

    def spread(compactness: float) -> float:
        found = segment(image, method="watershed", markers="gradient", depth=8, compactness=compactness).label_map
        return float(np.bincount(found.ravel())[1:].std())

    assert spread(50) < spread(0)


def test_marks_hold() -> None:
    scribble = np.zeros((40, 50), np.int8)
    scribble[5, 5:20] = 1
    scribble[30, 5:20] = -1
    prompt = Prompt(points=((10, 40, True), (12, 40, False), (99, 3, True)), scribble=scribble)
    markers = draw_markers(prompt, 40, 50)
    assert (markers[5, 5:20] == OBJECT).all()
    assert (markers[30, 5:20] == BACKGROUND).all()
    assert (markers[10, 40], markers[12, 40]) == (OBJECT, BACKGROUND)
    method = METHODS["watershed"]
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    found = method.segment(noise, method.params_class(), prompt).label_map
    assert np.array_equal(found[markers > 0] == 1, markers[markers > 0] == OBJECT)


def test_nuclei() -> None:
    found = []
    for path in sorted(NUCLEI.glob("nuc_*_gt.png")):
        truth = np.array(Image.open(path)).astype(np.int32)
        image = np.array(Image.open(path.with_name(path.name.replace("_gt", ""))).convert("RGB"))
        label_map = segment(image, method="watershed", cleanup=Cleanup(max_regions=2000)).label_map
        found.append((iou(label_map > 0, truth > 0), average_precision(truth, label_map)))
    assert len(found) == 4
    assert (np.mean(found, axis=0) > (0.84, 0.82)).all()
    assert min(precision for _, precision in found) > 0.68


def test_relief_and_print_are_no_nested_objects() -> None:
    for image in (skimage.data.coins(), skimage.data.page()):
        with_nested = segment(image, method="watershed").label_map
        assert np.array_equal(with_nested, segment(image, method="watershed", nested=False).label_map)
