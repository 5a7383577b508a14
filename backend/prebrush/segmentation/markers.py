"""From what a person marked to pixels: the seeds that methods grow or flood from, and what is in the boxes."""

import cv2
import numpy as np

from prebrush.datatypes import LabelMap, Mask, Prompt

OBJECT = 1
BACKGROUND = 2
MARK_RADIUS = 3
"""A click stands for a small disc: its own pixel may be a speck."""


def draw_markers(prompt: Prompt, height: int, width: int, *, frame: bool = True) -> LabelMap:
    """Draw the marks of one object as a label map of seeds.

    What lies outside the boxes is background; without boxes and negative marks the frame is, where it is not marked.
    Boxes alone make seeds of their middles, the ellipses of half their sides. Strokes count over that, clicks over all.

    Parameters
    ----------
    prompt : Prompt
        Not empty.
    height, width : int
    frame : bool
        Whether the frame may be background.

    Returns
    -------
    int32 (height, width)
        `OBJECT`, `BACKGROUND`, or 0 where nothing is known.
    """
    markers = np.zeros((height, width), np.int32)
    scribble = prompt.scribble if prompt.scribble is not None else np.zeros((height, width), np.int8)
    positive = any(inside for _, _, inside in prompt.points) or bool((scribble > 0).any())
    negative = any(not inside for _, _, inside in prompt.points) or bool((scribble < 0).any())
    if prompt.boxes:
        markers[~inside_boxes(prompt, height, width)] = BACKGROUND
    elif frame and not negative:
        for side in (markers[0], markers[-1], markers[:, 0], markers[:, -1]):
            side[:] = BACKGROUND
    if not positive:
        for top, left, bottom, right in prompt.boxes:
            middle, axes = ((left + right) // 2, (top + bottom) // 2), ((right - left) // 4, (bottom - top) // 4)
            cv2.ellipse(markers, middle, axes, 0, 0, 360, OBJECT, -1)
    markers[scribble > 0] = OBJECT
    markers[scribble < 0] = BACKGROUND
    for row, col, inside in prompt.points:
        cv2.circle(markers, (col, row), MARK_RADIUS, OBJECT if inside else BACKGROUND, -1)
    for row, col, inside in prompt.points:  # a disc may have covered the click beside it
        if 0 <= row < height and 0 <= col < width:
            markers[row, col] = OBJECT if inside else BACKGROUND
    return markers


def inside_boxes(prompt: Prompt, height: int, width: int) -> Mask:
    """Return bool (height, width), True in the boxes."""
    inside = np.zeros((height, width), np.bool_)
    for top, left, bottom, right in prompt.boxes:
        inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return inside
