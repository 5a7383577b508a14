"""The rules against scikit-image, and the choice of channel and polarity."""

import warnings

import numpy as np
import pytest
from skimage import color, data, filters

from prebrush import segment
from prebrush.segmentation.color import CHANNELS, STRONGEST_STAIN, is_gray
from prebrush.segmentation.kernels.histogram import histogram
from prebrush.segmentation.kernels.histogram_modes import two_modes
from prebrush.segmentation.methods.threshold import clearest_cut, cut
from prebrush.segmentation.thresholds import RULES, find_threshold
from scenes import crop_rows, dark_cells, equal_brightness, field, iou, two_discs


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
        assert cut(gray, rule).threshold == expected
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


@pytest.mark.parametrize("polarity", ["bright", "dark"])
def test_hysteresis_equals_scikit_image(polarity: str) -> None:
    gray = data.coins()
    shown = gray if polarity == "bright" else 255 - gray
    low, high = (60, 160) if polarity == "bright" else (95, 195)
    expected = filters.apply_hysteresis_threshold(
        gray.astype(float), 60 if polarity == "bright" else 59.5, 159.5 + (polarity == "bright") * 0.5
    )
    found = segment(shown, method="threshold", algorithm="hysteresis", low=low, high=high, polarity=polarity).label_map
    assert np.array_equal(found > 0, expected)


def test_hysteresis_keeps_faint_ends_and_drops_faint_specks() -> None:
    gray = np.full((40, 60), 20, np.uint8)
    gray[10:20, 5:25], gray[10:20, 25:40], gray[30:35, 45:50] = 200, 100, 100
    found = segment(gray, method="threshold", algorithm="hysteresis").label_map > 0
    assert np.array_equal(found[5:25], gray[5:25] > 20)
    assert not found[25:].any()


@pytest.mark.parametrize(("knob", "level"), [("high", 40), ("low", 200)])
def test_the_threshold_of_hysteresis_that_is_chosen_makes_way_for_the_one_that_is_given(knob: str, level: int) -> None:
    gray = data.camera()  # three classes are parted at about 90 and 170
    found = segment(gray, method="threshold", algorithm="hysteresis", polarity="bright", **{knob: level}).label_map
    assert np.array_equal(found > 0, gray > level)


def test_hematoxylin_is_scikit_images() -> None:
    for image in (data.immunohistochemistry(), np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)):
        expected = np.clip(color.rgb2hed(image)[..., 0], 0, STRONGEST_STAIN) * 255 / STRONGEST_STAIN
        assert np.abs(CHANNELS["hematoxylin"](image) - expected).max() <= 0.51


def test_hematoxylin_finds_nuclei_beside_a_brown_stain() -> None:
    truth = np.zeros((60, 90), np.int32)
    truth[10:30, 10:30], truth[30:55, 50:80] = 1, 2
    hed = np.zeros((60, 90, 3))
    hed[truth == 1, 0], hed[truth == 2, 2] = 0.12, 0.12
    image = (color.hed2rgb(hed) * 255 + np.random.default_rng(0).normal(0, 4, (60, 90, 3))).clip(0, 255)
    found = segment(image.astype(np.uint8), method="threshold", channel="hematoxylin").label_map > 0
    assert iou(found, truth == 1) > 0.95


def test_excess_green_is_its_definition() -> None:
    image = np.random.default_rng(0).integers(40, 256, (50, 60, 3), dtype=np.uint8)
    red, green, blue = np.moveaxis(image / image.sum(axis=2, keepdims=True), 2, 0)
    expected = np.clip((2 * green - red - blue + 0.02) / 1.02, 0, 1) * 255
    assert np.abs(CHANNELS["excess_green"](image) - expected).max() <= 0.51


def test_excess_green_finds_crops_in_light_and_shade() -> None:
    scene = crop_rows()
    found = segment(scene.image, method="threshold", channel="excess_green").label_map > 0
    assert iou(found, scene.truth > 0) > 0.9
    assert (
        iou(found, scene.truth > 0)
        > iou(segment(scene.image, method="threshold", channel="gray").label_map > 0, scene.truth > 0) + 0.2
    )


def test_excess_green_keeps_fine_leaves_and_not_the_noise() -> None:
    ours, plain = [], []
    for scene in (field(seed) for seed in range(8)):
        ours.append(
            iou(segment(scene.image, method="threshold", channel="excess_green").label_map > 0, scene.truth > 0)
        )
        index = CHANNELS["excess_green"](scene.image)
        plain.append(iou(index > filters.threshold_otsu(index), scene.truth > 0))
    assert np.mean(ours) > 0.8
    assert np.mean(ours) > np.mean(plain) + 0.05


def test_grains_of_colour_noise_are_no_leaves() -> None:
    ours, plain = [], []
    for seed in range(4):
        scene = field(seed)
        noise = np.random.default_rng(seed).normal(0, 9, (180, 240, 3)).repeat(2, axis=0).repeat(2, axis=1)
        image = (scene.image + noise - noise.mean(axis=2, keepdims=True)).clip(0, 255).astype(np.uint8)
        ours.append(iou(segment(image, method="threshold", channel="excess_green").label_map > 0, scene.truth > 0))
        index = CHANNELS["excess_green"](image)
        plain.append(iou(index > filters.threshold_otsu(index), scene.truth > 0))
    assert np.mean(ours) > 0.78
    assert np.mean(ours) > np.mean(plain) + 0.2


def test_plants_that_fill_the_field_are_still_the_objects() -> None:
    image = np.full((40, 40, 3), (70, 130, 50), np.uint8)
    image[15:25, 15:25] = (120, 95, 75)
    found = segment(image, method="threshold", channel="excess_green").label_map
    assert found[0, 0] == 1
    assert found[20, 20] == 0
