"""The rules against scikit-image, and the choice of channel and polarity."""

import warnings

import numpy as np
import pytest
from skimage import data, filters

from prebrush import segment
from prebrush.segmentation.color import CHANNELS, is_gray
from prebrush.segmentation.kernels.histogram import histogram
from prebrush.segmentation.kernels.histogram_modes import two_modes
from prebrush.segmentation.methods.threshold import clearest_cut, cut
from prebrush.segmentation.thresholds import RULES, find_threshold
from scenes import dark_cells, equal_brightness, iou, two_discs


def gray_images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    photos = [data.camera(), data.coins(), data.page(), data.text(), data.moon(), data.astronaut()[..., 1]]
    drawn = [
        rng.integers(0, 256, (50, 60)),
        np.where(rng.random((70, 50)) < 0.3, rng.normal(60, 10, (70, 50)), rng.normal(170, 20, (70, 50))).clip(0, 255),
        rng.integers(0, 4, (30, 30)) * 37,
        np.tile([[3, 250]], (8, 4)),
        rng.normal(12, 2, (64, 64)).clip(0, 255),
    ]
    return photos + [image.astype(np.uint8) for image in drawn]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_thresholds_equal_scikit_image(rule: str) -> None:
    compared = 0
    for gray in gray_images():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs divides by zero where a level is empty
            try:
                expected = getattr(filters, f"threshold_{rule}")(gray)
            except RuntimeError:  # theirs gives up where there are not two peaks
                assert rule == "minimum"
                continue
        assert find_threshold(histogram(gray), rule) == expected
        compared += 1
    assert compared >= 6


def test_mask_is_what_lies_above_the_threshold() -> None:
    gray = data.camera()
    label_map = segment(gray, method="threshold", algorithm="otsu", polarity="bright").label_map
    assert np.array_equal(label_map, gray > filters.threshold_otsu(gray))
    dark = segment(gray, method="threshold", algorithm="otsu", polarity="dark").label_map
    assert np.array_equal(dark, gray <= filters.threshold_otsu(gray))


def test_manual_takes_the_given_value() -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    label_map = segment(gray, method="threshold", algorithm="manual", value=99.5, polarity="bright").label_map
    assert np.array_equal(label_map > 0, gray > 99)


@pytest.mark.parametrize("value", [0, 255])
def test_a_cut_with_an_empty_side_finds_nothing(value: float) -> None:
    gray = np.full((8, 8), 128, np.uint8)
    gray[2:4, 2:4] = 160
    assert not segment(gray, method="threshold", algorithm="manual", value=value).label_map.any()


def test_minimum_falls_back_to_otsu_without_two_peaks() -> None:
    one_peak = np.full(256, 0, np.int64)
    one_peak[100:104] = (5, 50, 20, 3)
    assert two_modes(one_peak[100:104])[1] == -1
    assert find_threshold(one_peak, "minimum") == find_threshold(one_peak, "otsu")


def test_histogram_counts_every_value() -> None:
    gray = np.random.default_rng(3).integers(0, 256, (37, 41), dtype=np.uint8)
    assert np.array_equal(histogram(gray), np.bincount(gray.ravel(), minlength=256))
    assert np.array_equal(histogram(gray[::2, ::3]), np.bincount(gray[::2, ::3].ravel(), minlength=256))


@pytest.mark.parametrize("scene", [two_discs(), dark_cells()], ids=lambda scene: scene.name)
def test_polarity_follows_the_background(scene) -> None:
    bright = cut(CHANNELS["gray"](scene.image), "otsu")
    dark = cut(255 - CHANNELS["gray"](scene.image), "otsu")
    assert {bright.polarity, dark.polarity} == {"bright", "dark"}
    assert iou(bright.objects, scene.truth > 0) > 0.95
    assert iou(dark.objects, scene.truth > 0) > 0.95


def test_objects_may_touch_the_border_and_fill_much() -> None:
    gray = np.full((60, 60), 200, np.uint8)
    gray[10:60, 5:50] = 50  # over half of the area, a part of the border
    assert cut(gray, "otsu").polarity == "dark"


def test_the_clearest_channel_sees_colour_where_gray_does_not() -> None:
    scene = equal_brightness()
    name, found = clearest_cut(scene.image, "otsu", 128, 0)
    assert name in ("saturation", "a", "b")
    assert iou(found.objects, scene.truth > 0) > 0.95
    assert iou(segment(scene.image, method="threshold", channel="gray").label_map > 0, scene.truth > 0) < 0.7


def test_gray_images_are_known_as_such() -> None:
    scene = two_discs()
    gray = np.repeat(scene.image[:, :, :1], 3, axis=2)
    assert is_gray(gray)
    assert clearest_cut(gray, "otsu", 128, 0)[0] == "gray"
    gray[-1, -1, 2] ^= 1
    assert not is_gray(gray)


@pytest.mark.parametrize(
    ("channel", "color", "level"),
    [("red", (200, 3, 4), 200), ("green", (1, 77, 2), 77), ("blue", (1, 2, 99), 99), ("value", (10, 250, 30), 250),
     ("hue", (0, 255, 0), 85), ("saturation", (0, 0, 200), 255), ("gray", (255, 255, 255), 255),
     ("lightness", (255, 255, 255), 255), ("a", (128, 128, 128), 128), ("b", (9, 9, 9), 128)],
)  # fmt: skip
def test_channels(channel: str, color: tuple[int, int, int], level: int) -> None:
    plane = CHANNELS[channel](np.full((2, 3, 3), color, np.uint8))
    assert plane.shape == (2, 3)
    assert plane.dtype == np.uint8
    assert (plane == level).all()
