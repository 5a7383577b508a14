"""What a box says of its superpixels: contours part the object from what goes on outside, whatever the colours."""

import numpy as np
import pytest

from prebrush.segmentation.boundary_strength import N_TEXTONS, RADII, boundary_strength, color_strength, textons
from prebrush.segmentation.box_evidence import SURE, weigh_places
from prebrush.segmentation.color import to_lab
from prebrush.segmentation.kernels.half_discs import half_disc_gradient
from scenes import disc

BOX = (20, 30, 120, 150)


def place(height: int, width: int, box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance from the box's middle, what is expected by it, and what is outside."""
    top, left, bottom, right = box
    rows, cols = np.mgrid[:height, :width].astype(np.float32)
    down, across = np.abs((rows - top) / (bottom - top) * 2 - 1), np.abs((cols - left) / (right - left) * 2 - 1)
    distance = np.maximum(down, across).astype(np.float32)
    return distance, np.clip(10 * (0.73 - distance), -5, 1).astype(np.float32), distance > 1


def weigh(image: np.ndarray, marks: np.ndarray | None = None) -> np.ndarray:
    height, width = image.shape[:2]
    distance, expected, outside = place(height, width, BOX)
    marks = np.zeros((height, width), np.int8) if marks is None else marks
    return weigh_places(to_lab(image.astype(np.float32) / np.float32(255)), expected, distance, outside, marks, 40_000)


def glowing_scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A disc on ground that is bright within the box alone, without a contour to the dark outside."""
    height, width = 140, 180
    rows, cols = np.mgrid[:height, :width]
    glow = 90 * np.exp(-(((rows - 45) / 35) ** 2 + ((cols - 70) / 45) ** 2))
    ground = np.stack((60 + glow, 70 + glow, 50 + 0.6 * glow), axis=2)
    thing = disc(height, width, 75, 95, 30)
    image = np.where(thing[..., None], np.array((150, 60, 40)), ground)
    distance, _, outside = place(height, width, BOX)
    bright = (glow > 50) & ~disc(height, width, 75, 95, 34) & ~outside & (distance < 0.7)
    image = image + np.random.default_rng(0).normal(0, 3.0, image.shape)
    return image.clip(0, 255).astype(np.uint8), thing, bright


def test_what_goes_on_outside_without_a_contour_is_ground() -> None:
    image, thing, bright = glowing_scene()
    odds = weigh(image)
    assert bright.sum() > 300
    assert odds[thing].mean() > 0.5
    assert odds[bright].mean() < -0.5
    assert np.abs(odds).max() <= SURE


def test_marks_say_which_superpixels_are_in_or_out() -> None:
    image, thing, _ = glowing_scene()
    marks = np.zeros(thing.shape, np.int8)
    marks[75, 95] = -1
    assert weigh(image, marks)[thing].mean() < weigh(image)[thing].mean() - 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (140, 180)])
def test_any_size_and_no_detail(shape: tuple[int, int]) -> None:
    odds = weigh(np.full((*shape, 3), 90, np.uint8))
    assert odds.shape == shape
    assert np.isfinite(odds).all()


def test_strength_by_colour_is_strength_without_texture() -> None:
    image, _, _ = glowing_scene()
    lab = to_lab(image.astype(np.float32) / np.float32(255))
    texture = textons(lab[:, :, 0])
    whole, colors = boundary_strength(lab, texture), color_strength(lab, *texture.shape)
    parts = [half_disc_gradient(texture.astype(np.float32), N_TEXTONS, radius, whole.shape[0]) for radius in RADII]
    np.testing.assert_allclose(whole - colors, np.mean(parts, axis=0), atol=1e-5)
