"""Wide lines: what a smaller image shows as a line is drawn to the pixel, if it is one."""

import cv2
import numpy as np

from prebrush.segmentation.wide_lines import draw_wide

SHAPE = (120, 400)


def levels_of(strip: np.ndarray, depth: float = 60.0) -> np.ndarray:
    return np.where(strip, np.float32(500 - depth), np.float32(500)) + np.zeros(SHAPE, np.float32)


def reduced(mask: np.ndarray) -> np.ndarray:
    return cv2.resize(mask.view(np.uint8), (SHAPE[1] // 4, SHAPE[0] // 4), interpolation=cv2.INTER_AREA) > 0


def strip(half_width: int) -> np.ndarray:
    """A slanting strip from the left side to the right one."""
    rows, cols = np.indices(SHAPE)
    return np.abs(rows - 40 - cols // 12) <= half_width


def test_a_strip_is_drawn_to_the_pixel() -> None:
    truth = strip(8)
    drawn = draw_wide(levels_of(truth), reduced(truth), 25, 100)
    # the blur before the cut rounds the corners of the stairs
    assert (drawn != truth).mean() < 0.002


def test_light_that_changes_along_it_does_not_matter() -> None:
    truth = strip(8)
    slope = np.linspace(0, 150, SHAPE[1], dtype=np.float32)
    drawn = draw_wide(levels_of(truth) + slope, reduced(truth), 25, 100)
    assert (drawn != truth).mean() < 0.004


def test_what_is_faint_short_stout_or_soft_is_left_out() -> None:
    truth = strip(8)
    assert not draw_wide(levels_of(truth, 20), reduced(truth), 25, 100).any()
    assert not draw_wide(levels_of(truth), reduced(truth), 25, 500).any()
    stout = np.zeros(SHAPE, np.bool_)
    stout[30:90, 100:260] = True
    assert not draw_wide(levels_of(stout), reduced(stout), 25, 100).any()
    soft = cv2.GaussianBlur(levels_of(strip(12)), (0, 0), 8)
    assert not draw_wide(soft, reduced(strip(12)), 15, 100).any()


def test_a_thin_line_that_looks_wide_in_the_small_image_is_left_out() -> None:
    truth = strip(1)
    assert not draw_wide(
        levels_of(truth), cv2.dilate(reduced(truth).view(np.uint8), np.ones((3, 3))) > 0, 25, 100
    ).any()


def test_lines_that_are_not_there() -> None:
    assert not draw_wide(levels_of(strip(8)), np.zeros((30, 100), np.bool_), 25, 100).any()
