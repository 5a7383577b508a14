"""Changing an object that is there by further marks: positive ones add what they mean, negative ones take it away."""

from collections.abc import Callable

import cv2
import numpy as np

from prebrush.datatypes import Mask, Prompt
from prebrush.errors import InvalidPrompt


def refine(mask: Mask, prompt: Prompt, find: Callable[[Prompt], Mask]) -> Mask:
    """Add to an object what marks mean, and carve out what negative clicks mean.

    Parameters
    ----------
    mask : bool (H, W)
        The object so far.
    prompt : Prompt
    find : callable
        Finds what marks mean by themselves, and nothing where they hit nothing.

    Returns
    -------
    mask : bool (H, W)
        It has every pixel of a positive click, and none of a negative one.

    Raises
    ------
    InvalidPrompt
        Nothing is left of it.
    """
    wanted = tuple(point for point in prompt.points if point[2])
    # beside a box, what is painted as ground are the corners that a turned or round shape leaves out
    painted = None if prompt.boxes else prompt.scribble
    changed = mask.copy()
    if wanted or prompt.boxes or (painted is not None and (painted > 0).any()):
        changed |= find(prompt)
    for row, col, positive in prompt.points:
        if not positive and changed[row, col]:
            changed &= ~_find_piece(changed, row, col, wanted, find)
    if painted is not None:
        changed[painted < 0] = False
    for row, col, positive in prompt.points:
        changed[row, col] = positive
    if not changed.any():
        raise InvalidPrompt("nothing would be left of the region; delete it in the editor")
    return changed


def _find_piece(
    mask: Mask, row: int, col: int, wanted: tuple[tuple[int, int, bool], ...], find: Callable[[Prompt], Mask]
) -> Mask:
    """Find what a negative click means: the piece that a positive one would, kept off what is wanted.

    If that is the whole object, the middle of what lies around the click is what the person keeps.
    """
    points = ((row, col, True), *((*point[:2], False) for point in wanted))
    piece = find(Prompt(points=points))
    if (mask & ~piece).any():
        return piece
    around = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    around[row + 1, col + 1] = 0
    depth = cv2.distanceTransform(around, cv2.DIST_L2, 5)[1:-1, 1:-1]
    keep = divmod(int(depth.argmax()), mask.shape[1])
    return find(Prompt(points=(*points, (*keep, False)))) if depth[keep] > 0 else piece
