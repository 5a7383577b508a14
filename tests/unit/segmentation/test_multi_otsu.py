"""Thresholds against scikit-image's search and against the definition; classes by brightness."""

import itertools

import numpy as np
import pytest
from skimage import data, filters

from prebrush import segment
from prebrush.segmentation.kernels.histogram import histogram
from prebrush.segmentation.multilevel import find_thresholds
from scenes import iou, stripes, two_discs


def gray_images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = [
        rng.integers(0, 256, (50, 60)),
        rng.integers(0, 7, (30, 30)) * 37,
        rng.integers(0, 6, (30, 30)) * 3 + 240,
        rng.choice([2, 240, 243, 246, 249, 252, 255], (30, 30)),
        np.where(rng.random((70, 50)) < 0.7, 0, rng.normal(120, 60, (70, 50))).clip(0, 255),
        rng.normal(12, 2, (64, 64)).clip(0, 255),
        np.arange(40).reshape(5, 8) * 5,
    ]
    photos = [data.camera(), data.coins(), data.page(), data.text(), data.moon(), data.astronaut()[..., 1]]
    return photos + [image.astype(np.uint8) for image in drawn]


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_thresholds_equal_scikit_image(n_classes: int) -> None:
    for gray in gray_images():
        found, _ = find_thresholds(histogram(gray), n_classes)
        assert list(found) == filters.threshold_multiotsu(gray, n_classes).tolist()


def within(gray: np.ndarray, thresholds: tuple[int, ...]) -> float:
    """Sum of the squared distances to the means of the classes: the definition."""
    owner = np.digitize(gray, thresholds, right=True)
    parts = [gray[owner == number].astype(float) for number in range(len(thresholds) + 1)]
    return float(sum(((part - part.mean()) ** 2).sum() for part in parts if part.size))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_classes", [2, 5, 8])
def test_no_other_thresholds_are_better(seed: int, n_classes: int) -> None:
    rng = np.random.default_rng(seed)
    levels = np.sort(rng.choice(256, 12, replace=False)).astype(np.uint8)
    gray = rng.choice(levels, 300, p=rng.dirichlet(np.ones(12)))
    found, _ = find_thresholds(histogram(gray), n_classes)
    best = min(within(gray, cuts) for cuts in itertools.combinations(np.unique(gray)[:-1].tolist(), n_classes - 1))
    assert within(gray, found) <= best * 1.01 + 1e-6


def test_fewer_levels_than_classes_give_a_class_each() -> None:
    gray = np.repeat(np.array([[3, 90, 91, 200]], np.uint8), 5, axis=0)
    assert find_thresholds(histogram(gray), 8)[0] == (3, 90, 91)
    segments = segment(gray, method="multi_otsu", n_classes=8)
    assert segments.label_map[0].tolist() == [1, 2, 3, 4]
    assert segments.classes == ("class-0", "class-1", "class-2", "class-3")


@pytest.mark.parametrize("n_classes", [4, 8])
def test_very_many_equally_good_cuts_are_no_trouble(n_classes: int) -> None:
    even = np.arange(256, dtype=np.uint8).reshape(16, 16)
    areas = np.bincount(segment(even, method="multi_otsu", n_classes=n_classes).label_map.ravel())[1:]
    assert areas.size == n_classes
    assert np.ptp(areas) <= 3


def test_the_classes_are_the_levels_between_the_thresholds() -> None:
    gray = data.camera()
    expected = np.digitize(gray, filters.threshold_multiotsu(gray, 4), right=True) + 1
    assert np.array_equal(segment(gray, method="multi_otsu", n_classes=4).label_map, expected)


def test_classes_go_from_dark_to_bright_whatever_the_channel() -> None:
    scene = stripes()
    for channel in ("auto", "gray", "saturation", "b"):
        label_map = segment(scene.image, method="multi_otsu", channel=channel).label_map
        gray = scene.image.mean(axis=2)
        means = [gray[label_map == number].mean() for number in range(1, label_map.max() + 1)]
        assert means == sorted(means)


def test_the_blur_takes_noise_away() -> None:
    scene = two_discs()
    noisy = (scene.image + np.random.default_rng(1).normal(0, 90, scene.image.shape)).clip(0, 255).astype(np.uint8)

    def quality(sigma: float) -> float:
        label_map = segment(noisy, method="multi_otsu", n_classes=2, channel="gray", sigma=sigma).label_map
        return iou(label_map == 2, scene.truth > 0)

    assert quality(2) > 0.9 > quality(0)
