"""Local thresholds against scikit-image, and light that changes across the image."""

import numpy as np
import pytest
from skimage import data, filters

from prebrush import segment
from prebrush.segmentation.methods.adaptive_threshold import local_threshold
from scenes import Scene, iou, two_discs

PAGE = data.page()
SMALL = np.random.default_rng(0).integers(0, 256, (23, 31), dtype=np.uint8)


@pytest.mark.parametrize("gray", [PAGE, SMALL], ids=("page", "noise"))
@pytest.mark.parametrize("block_size", [3, 15, 41])
def test_thresholds_equal_scikit_image(gray: np.ndarray, block_size: int) -> None:
    for name in ("mean", "gaussian"):
        expected = filters.threshold_local(gray, block_size, method=name)
        np.testing.assert_allclose(local_threshold(gray, name, block_size, 0), expected, atol=2e-3)
    for k in (0.2, -0.3):
        expected = filters.threshold_niblack(gray, block_size, k)
        np.testing.assert_allclose(local_threshold(gray, "niblack", block_size, k), expected, atol=1e-4)
        expected = filters.threshold_sauvola(gray, block_size, k)
        np.testing.assert_allclose(local_threshold(gray, "sauvola", block_size, k), expected, atol=1e-4)


def test_dark_objects_are_what_lies_below_and_bright_ones_those_of_the_inverted_image() -> None:
    knobs = {"method": "adaptive_threshold", "algorithm": "sauvola", "block_size": 25, "offset": 0, "channel": "gray"}
    expected = filters.threshold_sauvola(PAGE, 25) > PAGE
    assert np.array_equal(segment(PAGE, **knobs, polarity="dark").label_map > 0, expected)
    assert np.array_equal(segment(255 - PAGE, **knobs, polarity="bright").label_map > 0, expected)


def uneven(scene: Scene) -> np.ndarray:
    """The same under a light that falls from left to right to a quarter."""
    light = np.linspace(1, 0.25, scene.image.shape[1])[None, :, None]
    return (scene.image * light).astype(np.uint8)


@pytest.mark.parametrize("algorithm", ["gaussian", "mean", "sauvola", "niblack"])
def test_uneven_light_is_no_trouble(algorithm: str) -> None:
    scene = two_discs()
    truth = scene.truth > 0
    image = uneven(scene)
    knobs = {"algorithm": algorithm, "block_size": 71, "k": 0.1}
    found = segment(image, method="adaptive_threshold", **knobs).label_map > 0
    assert iou(found, truth) > 0.9
    assert iou(found, truth) > iou(segment(image, method="threshold").label_map > 0, truth)


def test_text_is_read_on_a_page_with_a_shadow() -> None:
    rng = np.random.default_rng(3)
    shade = np.linspace(230, 70, 240)[None, :] + np.linspace(0, 20, 120)[:, None]
    truth = np.zeros((120, 240), np.bool_)
    for row in range(10, 110, 15):
        for col in range(8, 230, 12):
            truth[row : row + 8, col : col + 3] = rng.random() < 0.8
    page = (np.where(truth, shade * 0.5, shade) + rng.normal(0, 3, shade.shape)).clip(0, 255).astype(np.uint8)
    found = segment(page, method="adaptive_threshold", algorithm="sauvola", block_size=25, offset=0).label_map > 0
    assert iou(found, truth) > 0.95


def test_even_blocks_are_raised_by_one() -> None:
    maps = [segment(PAGE, method="adaptive_threshold", block_size=size).label_map for size in (24, 25, 27)]
    assert np.array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[1], maps[2])


@pytest.mark.parametrize("algorithm", ["gaussian", "mean", "sauvola", "niblack"])
@pytest.mark.parametrize("polarity", ["dark", "bright"])
def test_an_even_ground_stays_empty_without_an_offset(algorithm: str, polarity: str) -> None:
    gray = np.full((60, 60), 130, np.uint8)
    gray[:4, :4] = 131 if polarity == "bright" else 129
    knobs = {"block_size": 9, "offset": 0.01, "polarity": polarity, "algorithm": algorithm, "k": 0.2}
    assert not segment(gray, method="adaptive_threshold", **knobs).label_map[20:, 20:].any()
