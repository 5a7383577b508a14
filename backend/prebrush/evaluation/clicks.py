"""How many clicks a person needs: a simulated one who always clicks into the middle of the largest mistake."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, Prompt
from prebrush.evaluation.items import UNDECIDED
from prebrush.evaluation.metrics import iou
from prebrush.segmentation.picking import pick_segments

GOOD_IOU = 0.85
"""An answer this good needs no further click."""
MOST_CLICKS = 20
"""Who is not content by then gives up; counted as this many."""


def count_clicks(truth: LabelMap, answer: Callable[[Prompt], LabelMap]) -> int:
    """Count the clicks until the object's IoU is at least `GOOD_IOU`, `MOST_CLICKS` where it never is.

    The first click goes into the middle of the object, each further one into the middle of the widest mistake: positive
    where the object was missed, negative where something else was taken.

    Parameters
    ----------
    truth : int32 (H, W)
        1 object, 0 not, -1 undecided.
    answer : callable (prompt) -> label map
        Segments with all the clicks so far.

    Notes
    -----
    Source: N. Xu, B. Price, S. Cohen, J. Yang, T. Huang, CVPR 2016, doi:10.1109/CVPR.2016.47
    """

    def found(prompt: Prompt) -> Mask:
        return pick_segments(answer(prompt), prompt)

    ious = list(click_ious(truth, found, GOOD_IOU))
    return len(ious) if ious[-1] >= GOOD_IOU else MOST_CLICKS


def click_ious(truth: LabelMap, answer: Callable[[Prompt], Mask], good_iou: float) -> Iterator[float]:
    """Simulate the person of `count_clicks`; give the IoU after each click, until it is good or they give up.

    Parameters
    ----------
    truth : int32 (H, W)
        1 object, 0 not, -1 undecided.
    answer : callable (prompt) -> bool (H, W)
        The object with all the clicks so far.
    good_iou : float
    """
    decided = truth != UNDECIDED
    points: list[tuple[int, int, bool]] = []
    found: Mask = np.zeros(truth.shape, np.bool_)
    while len(points) < MOST_CLICKS:
        points.append(_next_click(truth, found))
        found = answer(Prompt(points=tuple(points)))
        reached = iou(truth[decided] > 0, found[decided])
        yield reached
        if reached >= good_iou:
            break


def _next_click(truth: LabelMap, found: Mask) -> tuple[int, int, bool]:
    missed, taken = _depths((truth > 0) & ~found), _depths((truth == 0) & found)
    positive = bool(missed.max() >= taken.max())
    row, col = np.unravel_index(int((missed if positive else taken).argmax()), truth.shape)
    return int(row), int(col), positive


def _depths(mistake: Mask) -> npt.NDArray[np.float32]:
    """Distance of each pixel to the edge of the mistake it lies in, the frame included; 0 outside."""
    framed = cv2.copyMakeBorder(mistake.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)[1:-1, 1:-1]
