"""Morphological contours are scikit-image's, and find what was drawn from a box."""

from itertools import cycle

import numpy as np
import pytest
from skimage.segmentation import (
    checkerboard_level_set,
    inverse_gaussian_gradient,
    morphological_chan_vese,
    morphological_geodesic_active_contour,
    morphsnakes,
)

from prebrush import segment
from prebrush.datatypes import Prompt
from prebrush.segmentation.kernels.snakes import chan_vese_snake, geodesic_snake
from scenes import OBJECT_SCENES, disc, iou

GRAY = OBJECT_SCENES[0].image[:, :, 0].astype(np.float32) / 255
TRUTH = OBJECT_SCENES[0].truth


@pytest.fixture(autouse=True)
def from_the_first_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """scikit-image's alternation of the two smoothing operators goes on from the last call: it is started anew."""
    operators = (
        lambda u: morphsnakes.sup_inf(morphsnakes.inf_sup(u)),
        lambda u: morphsnakes.inf_sup(morphsnakes.sup_inf(u)),
    )
    monkeypatch.setattr(morphsnakes._curvop, "funcs", cycle(operators))


@pytest.mark.parametrize("iterations", [1, 2, 5, 20, 60])
@pytest.mark.parametrize("smoothing", [0, 1, 3])
def test_chan_vese_is_scikit_image_s(iterations: int, smoothing: int) -> None:
    start = checkerboard_level_set(GRAY.shape)
    wanted = morphological_chan_vese(GRAY.astype(float), iterations, start, smoothing=smoothing) > 0
    found = chan_vese_snake(GRAY[:, :, None], start > 0, iterations, smoothing, 1.0, 1.0)
    assert iou(found, wanted) > 0.98


@pytest.mark.parametrize("weights", [(1.0, 2.0), (3.0, 1.0)])
def test_chan_vese_weights(weights: tuple[float, float]) -> None:
    start = disc(*GRAY.shape, 40, 60, 30)
    wanted = morphological_chan_vese(GRAY.astype(float), 30, start, lambda1=weights[0], lambda2=weights[1]) > 0
    assert iou(chan_vese_snake(GRAY[:, :, None], start, 30, 1, *weights), wanted) > 0.98


@pytest.mark.parametrize("balloon", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("iterations", [1, 3, 15, 60])
def test_geodesic_is_scikit_image_s(balloon: float, iterations: int) -> None:
    speed = inverse_gaussian_gradient(GRAY.astype(float), alpha=100, sigma=2)
    start = disc(*GRAY.shape, 35, 85, 12 if balloon > 0 else 30)
    wanted = morphological_geodesic_active_contour(
        speed, iterations, start, smoothing=1, threshold=0.6, balloon=balloon
    )
    found = geodesic_snake(speed.astype(np.float32), start, iterations, 1, 0.6, balloon)
    assert iou(found, wanted > 0) > 0.98


@pytest.mark.parametrize("init", ["threshold", "checkerboard", "disk"])
def test_every_start_of_chan_vese_finds_the_discs(init: str) -> None:
    assert iou(segment(OBJECT_SCENES[0].image, method="chan_vese", init=init).label_map > 0, TRUTH > 0) > 0.95


def test_chan_vese_from_a_box_and_with_a_polarity() -> None:
    image = OBJECT_SCENES[0].image
    boxed = segment(image, method="chan_vese", prompt=Prompt(boxes=((8, 58, 62, 112),))).label_map > 0
    assert iou(boxed, TRUTH == 2) > 0.95
    dark = segment(image, method="chan_vese", polarity="dark").label_map > 0
    assert iou(dark, TRUTH == 0) > 0.95


def test_geodesic_from_a_box_and_from_a_click() -> None:
    image = OBJECT_SCENES[0].image
    second = TRUTH == 2
    boxed = segment(image, method="geodesic_contour", prompt=Prompt(boxes=((5, 55, 65, 115),))).label_map > 0
    assert iou(boxed, second) > 0.93
    clicked = segment(image, method="geodesic_contour", prompt=Prompt(points=((35, 85, True),))).label_map > 0
    assert iou(clicked, second) > 0.93
    assert not segment(image, method="geodesic_contour", prompt=Prompt(points=((35, 85, False),))).label_map.any()


@pytest.mark.parametrize("box", [(0, 0, 120, 160), (-9, -9, 500, 500)])
def test_geodesic_from_a_box_around_the_whole_image(box: tuple[int, int, int, int]) -> None:
    truth = disc(120, 160, 60, 80, 35)
    noise = np.random.default_rng(0).normal(0, 6, truth.shape)
    image = (np.where(truth, 170, 80) + noise).clip(0, 255).astype(np.uint8)
    assert iou(segment(image, method="geodesic_contour", prompt=Prompt(boxes=(box,))).label_map > 0, truth) > 0.95
    for shape in ((1, 1), (2, 9)):
        tiny = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        assert segment(tiny, method="geodesic_contour", prompt=Prompt(boxes=(box,))).label_map.shape == shape


def test_geodesic_on_a_large_image() -> None:
    large = disc(600, 800, 300, 420, 180)
    noise = np.random.default_rng(0).normal(0, 8, large.shape)
    image = (np.where(large, 170, 80) + noise).clip(0, 255).astype(np.uint8)
    for prompt in (Prompt(boxes=((90, 200, 510, 650),)), Prompt(points=((300, 400, True),)), Prompt()):
        assert iou(segment(image, method="geodesic_contour", prompt=prompt).label_map > 0, large) > 0.97
