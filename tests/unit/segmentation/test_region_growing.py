"""The growing against scikit-image's flood fill and a plain twin; marks; what the automatic seeds find."""

from collections import deque

import cv2
import numpy as np
import pytest
from skimage.segmentation import flood

from prebrush import segment
from prebrush.datatypes import Prompt
from prebrush.segmentation import METHODS
from prebrush.segmentation.kernels.growing import grow
from scenes import covering, iou, stripes, two_discs


def smooth_noise(seed: int) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((60, 70)), (0, 0), 3)
    return ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("diagonal", [False, True])
def test_the_seeds_own_colour_gives_scikit_images_flood_fill(seed: int, diagonal: bool) -> None:
    gray = smooth_noise(seed)
    seeds = np.zeros(gray.shape, np.int32)
    seeds[30, 35] = 1
    colors = np.dstack([gray, np.zeros_like(gray), np.zeros_like(gray)])
    found = grow(seeds, colors, seeds >= 0, 30.0, diagonal=diagonal, to_mean=False)
    expected = flood(gray, (30, 35), connectivity=2 if diagonal else 1, tolerance=30.0)
    assert np.array_equal(found == 1, expected)


def plain_growth(seeds: np.ndarray, colors: np.ndarray, mask: np.ndarray, tolerance: float) -> np.ndarray:
    labels = np.where(mask, seeds, 0)
    queue = deque(map(tuple, np.argwhere(labels > 0)))
    members = {number: [colors[at] for at in zip(*np.nonzero(labels == number), strict=True)] for number in (1, 2)}
    while queue:
        row, col = queue.popleft()
        for near in ((row - 1, col), (row, col - 1), (row, col + 1), (row + 1, col)):
            if not (0 <= near[0] < mask.shape[0] and 0 <= near[1] < mask.shape[1]) or labels[near] or not mask[near]:
                continue
            own = members[labels[row, col]]
            if np.linalg.norm(colors[near] - np.mean(own, axis=0, dtype=np.float64)) <= tolerance:
                labels[near] = labels[row, col]
                own.append(colors[near])
                queue.append(near)
    return labels


@pytest.mark.parametrize("seed", range(3))
def test_growing_to_the_mean_equals_its_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    colors = (smooth_noise(seed)[:25, :30, None] + rng.normal(0, 5, (25, 30, 3))).astype(np.float32)
    seeds = np.zeros((25, 30), np.int32)
    seeds[5:7, 4], seeds[20, 20] = 1, 2
    mask = rng.random((25, 30)) < 0.9
    assert np.array_equal(grow(seeds, colors, mask, 40.0), plain_growth(seeds, colors, mask, 40.0))


def test_places_start_regions_in_their_order() -> None:
    colors = np.zeros((3, 9, 3), np.float32)
    colors[:, 3:6], colors[:, 6:] = 50, 100
    nowhere = np.zeros((3, 9), np.int32)
    found = grow(nowhere, colors, nowhere == 0, 10.0, np.array([8, 7, 0, 4]))
    assert found[0].tolist() == [2, 2, 2, 3, 3, 3, 1, 1, 1]
    assert not grow(nowhere, colors, nowhere == 0, 10.0).any()


def test_mean_follows_a_slow_change_and_seed_does_not() -> None:
    gray = np.linspace(40, 120, 80).astype(np.uint8)[None].repeat(30, axis=0)
    counts = [
        segment(gray, method="region_growing", reference=reference, tolerance=12).label_map.max()
        for reference in ("mean", "seed")
    ]
    assert counts[0] <= counts[1]


def test_regions_of_the_stripes() -> None:
    scene = stripes()
    assert covering(scene.truth, segment(scene.image, method="region_growing").label_map) > 0.95


def test_small_regions_are_shared_out() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    label_map = segment(noise, method="region_growing", min_size=200, tolerance=15).label_map
    assert label_map.min() == 1
    areas = np.bincount(label_map.ravel())[1:]
    assert areas.min() >= 200 or areas.size == 1


def test_corners_connect_only_if_asked_for() -> None:
    gray = np.kron(np.eye(2, dtype=np.uint8), np.full((20, 20), 200, np.uint8))
    knobs = {"method": "region_growing", "sigma": 0, "min_size": 1}
    assert segment(gray, **knobs, connectivity=1).label_map.max() == 4
    assert segment(gray, **knobs, connectivity=2).label_map.max() in (2, 3)


def test_each_click_grows_its_own_region_and_boxes_hold_it_in() -> None:
    scene = two_discs()
    method = METHODS["region_growing"]
    both = Prompt(points=((40, 30, True), (35, 85, True)))
    assert iou(method.segment(scene.image, method.params_class(), both).label_map > 0, scene.truth > 0) > 0.93
    boxed = Prompt(points=((40, 30, True),), boxes=((30, 20, 50, 40),))
    found = method.segment(scene.image, method.params_class(), boxed).label_map
    assert found[30:50, 20:40].mean() > 0.98
    assert found.sum() == found[30:50, 20:40].sum()


def test_a_negative_click_stops_a_leak() -> None:
    gray = np.full((40, 80), 30, np.uint8)
    gray[10:30, 10:35] = gray[10:30, 45:70] = 200
    gray[18:22, 35:45] = 200  # a bridge
    method = METHODS["region_growing"]

    def area(prompt: Prompt) -> int:
        image = np.repeat(gray[..., None], 3, axis=2)
        return int(method.segment(image, method.params_class(), prompt).label_map[:, 45:].sum())

    leaking = area(Prompt(points=((20, 20, True),)))
    assert leaking > 400
    assert area(Prompt(points=((20, 20, True), (20, 57, False)))) < 0.1 * leaking
