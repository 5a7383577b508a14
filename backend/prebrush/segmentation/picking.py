"""From marks to one object: choose among the segments of an automatic method. Methods that read prompts do better."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, Prompt

INSIDE_FRACTION = 0.5
"""A segment belongs to a box if at least this share of its pixels lies in it."""


def pick_segments(label_map: LabelMap, prompt: Prompt) -> Mask:
    """Join the segments that the marks point at.

    A positive point or stroke takes the segment under it, a box those that lie mostly inside it; a negative point takes
    the segment under it away again, a negative stroke those that it mostly covers. Where point and box come together,
    the points decide within the box.

    Parameters
    ----------
    label_map : int32 (H, W)
        A partition; label 0 is never picked.
    prompt : Prompt
        Points and boxes beyond the border are cut to the image.

    Returns
    -------
    mask : bool (H, W)
        All False where the marks hit nothing.
    """
    height, width = label_map.shape
    count = int(label_map.max(initial=0))
    wanted: npt.NDArray[np.bool_] = np.zeros(count + 1, dtype=bool)
    refused = np.zeros(count + 1, dtype=bool)
    for row, col, positive in prompt.points:
        number = label_map[min(max(row, 0), height - 1), min(max(col, 0), width - 1)]
        (wanted if positive else refused)[number] = True
    if prompt.scribble is not None:
        wanted[np.unique(label_map[prompt.scribble > 0])] = True
        # the outside of a drawn shape grazes segments that are mostly inside: only what it mostly covers is refused
        areas = np.bincount(label_map.ravel(), minlength=count + 1)
        refused |= np.bincount(label_map[prompt.scribble < 0], minlength=count + 1) > areas * (1 - INSIDE_FRACTION)
    if prompt.boxes:
        boxed = _inside_boxes(label_map, prompt, count)
        wanted = np.logical_and(wanted, boxed) if wanted.any() else boxed
    wanted[0] = False
    picked: Mask = (wanted & ~refused)[label_map]
    return picked


def _inside_boxes(label_map: LabelMap, prompt: Prompt, count: int) -> npt.NDArray[np.bool_]:
    """Return bool (count + 1,): the segments that lie mostly inside one of the boxes."""
    areas = np.bincount(label_map.ravel(), minlength=count + 1)
    found = np.zeros(count + 1, dtype=bool)
    for top, left, bottom, right in prompt.boxes:
        part = label_map[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        found |= np.bincount(part.ravel(), minlength=count + 1) >= INSIDE_FRACTION * np.maximum(areas, 1)
    return found
