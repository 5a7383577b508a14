"""What a prompt says of each pixel before a graph cut: where the object is expected, what is certain, what to learn."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask, Prompt
from prebrush.segmentation.box_evidence import weigh_places
from prebrush.segmentation.markers import inside_boxes

MARK_RADIUS = 3
"""A click stands for a small disc: one pixel is too little to learn a colour from."""
REACH = 0.25
"""Where only clicks or strokes are given, the object is expected this near to them, in diagonals of the image."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What is known of each pixel at the size at which the cut is solved.

    Attributes
    ----------
    lab : float32 (h, w, 3)
    expected : float32 (h, w)
        Log-odds for the object by all that is known but its colours.
    shape : float32 (h, w)
        The same by the place in a box alone; 0 where there is none.
    distance : float32 (h, w)
        From the nearest box's centre, 1 on its sides; infinite where there is none.
    outside : bool (h, w)
        Where the background's colours are learned first.
    barred : bool (h, w)
        Certainly background.
    marks : int8 (h, w)
        1 marked as object, -1 marked as background, else 0; counts over `barred`.
    """

    lab: Floats
    expected: Floats
    shape: Floats
    distance: Floats
    outside: Mask
    barred: Mask
    marks: npt.NDArray[np.int8]


def draw_boxes(lab: Floats, prompt: Prompt, pixels: int) -> Scene:
    """Draw what boxes say of each pixel, with marks or without; superpixels are found at `pixels`, or at that size."""
    height, width = lab.shape[:2]
    marks = _draw_marks(prompt, height, width)
    distance: Floats = np.full((height, width), np.inf, np.float32)
    for box in prompt.boxes:
        distance = np.minimum(distance, _box_distance(box, height, width))
    outside = ~inside_boxes(prompt, height, width)
    shape = _expect(distance)
    return Scene(
        lab, weigh_places(lab, shape, distance, outside, marks, pixels), shape, distance, outside, outside, marks
    )


def draw_marks(lab: Floats, prompt: Prompt) -> Scene:
    """Draw what marks alone say of each pixel."""
    height, width = lab.shape[:2]
    expected = _expect(_mark_distance(prompt, height, width))
    nowhere = np.zeros((height, width), np.bool_)
    return _without_box(lab, expected, expected < -2, nowhere, _draw_marks(prompt, height, width))


def draw_guess(lab: Floats, objects: Mask, barred: Mask) -> Scene:
    """Draw what a first guess says of each pixel, bool (h, w), and what is barred."""
    expected = np.where(objects, np.float32(1), np.float32(-1))
    return _without_box(lab, expected, barred | ~objects, barred, np.zeros(objects.shape, np.int8))


def _without_box(lab: Floats, expected: Floats, outside: Mask, barred: Mask, marks: npt.NDArray[np.int8]) -> Scene:
    nowhere: Floats = np.full(expected.shape, np.inf, np.float32)
    return Scene(lab, expected, np.zeros_like(expected), nowhere, outside, barred, marks)


def _draw_marks(prompt: Prompt, height: int, width: int) -> npt.NDArray[np.int8]:
    """Draw strokes, then the discs of clicks over them, then the clicks themselves: int8 (height, width)."""
    marks = np.zeros((height, width), np.int8) if prompt.scribble is None else prompt.scribble.copy()
    for row, col, positive in prompt.points:
        drawn = cv2.circle(np.zeros((height, width), np.uint8), (col, row), MARK_RADIUS, 1, -1)
        marks[drawn > 0] = 1 if positive else -1
    for row, col, positive in prompt.points:
        if 0 <= row < height and 0 <= col < width:
            marks[row, col] = 1 if positive else -1
    return marks


def _box_distance(box: tuple[int, int, int, int], height: int, width: int) -> Floats:
    """Measure from a box's middle in half sides, along rounded rectangles: objects have few sharp corners."""
    top, left, bottom, right = box
    down = np.abs((np.arange(height, dtype=np.float32) + 0.5 - top) / (bottom - top) * 2 - 1)
    across = np.abs((np.arange(width, dtype=np.float32) + 0.5 - left) / (right - left) * 2 - 1)
    return np.asarray((down[:, None] ** 2.5 + across[None] ** 2.5) ** 0.4, np.float32)


def _mark_distance(prompt: Prompt, height: int, width: int) -> Floats:
    """Measure from the nearest positive mark, 1 at `REACH`; everywhere a little more than that if there is none."""
    away = np.ones((height, width), np.uint8)
    if prompt.scribble is not None:
        away[prompt.scribble > 0] = 0
    for row, col, positive in prompt.points:
        if positive and 0 <= row < height and 0 <= col < width:
            away[row, col] = 0
    if away.all():
        return np.ones((height, width), np.float32)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(distance / np.float32(REACH * math.hypot(height, width)), np.float32)


def _expect(distance: Floats) -> Floats:
    """Turn distances into log-odds for the object: loose boxes are mostly object up to about three quarters."""
    return np.asarray(np.clip(10 * (0.73 - distance), -5, 1), np.float32)
