"""Prompt: the object that clicks, boxes and strokes mean, by colour, texture, distance, contours and graph cuts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.method import Method
from prebrush.segmentation.methods import grabcut
from prebrush.segmentation.prompt_image import Prepared, prepare
from prebrush.segmentation.prompt_outline import Outline, enlarge_mask, redraw
from prebrush.segmentation.prompt_regions import Choice, Mark, change, choose
from prebrush.segmentation.prompt_weights import WEIGHTS, Weights
from prebrush.segmentation.scaling import shrink_prompt

__all__ = ["METHOD", "Params", "Prepared", "answer", "prepare", "segment"]

MOST_PLACES = 200
"""Of a stroke, so many pixels are looked at."""
BOX_MARGIN = 2.0
"""How sure a box is, as log odds."""


@dataclass(frozen=True, slots=True)
class Params:
    """No knobs: the marks say it all."""


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Cut out the object that is marked.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        None.
    prompt : Prompt
        Strokes count first, then boxes, then clicks in their order. One positive click gives a whole object around it.
        Each further click adds or takes away the piece that it lies in and leaves the rest as it is; what is clicked
        is always in or out. What lies outside the boxes is out, unless it is clicked or painted. Without a prompt, as
        from `grabcut`.

    Returns
    -------
    int32 (H, W)
        1 object, 0 background; all 0 where nothing positive is marked.

    Notes
    -----
    Cost: some 0.3 s to prepare an image, then some 10 ms a click. Fails on objects of many colours that the ground has
    as well, and on things thinner than three pixels of an image of 90,000.

    Sources: Y. Boykov, M.-P. Jolly, ICCV 2001, doi:10.1109/ICCV.2001.937505 (graph cut from marks); B. Price, B. Morse,
    S. Cohen, CVPR 2010, doi:10.1109/CVPR.2010.5540079 (geodesic distance in it); Z. Tu, CVPR 2008,
    doi:10.1109/CVPR.2008.4587436 (a second round that has seen the first).

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((40, 60, 3), np.uint8)
    >>> image[10:30, 20:40] = 200
    >>> found = segment(image, Params(), Prompt(points=((20, 30, True),)))
    >>> int(found[20, 22]), int(found[5, 5])
    (1, 0)
    """
    del params
    if not prompt:
        return grabcut.segment(image, grabcut.Params(), prompt)
    return answer(prepare(image), prompt).astype(np.int32)


def answer(prepared: Prepared, prompt: Prompt, weights: Weights = WEIGHTS) -> Mask:
    """Find the marked object in a prepared image.

    Parameters
    ----------
    prepared : Prepared
    prompt : Prompt
        In pixels of the image; clicks beyond its border count as on it.
    weights : Weights

    Returns
    -------
    bool (H, W)
    """
    height, width = int(prepared.shape[0]), int(prepared.shape[1])
    inner = (prepared.superpixels.shape[0], prepared.superpixels.shape[1])
    points = [
        (min(max(row, 0), height - 1), min(max(col, 0), width - 1), positive) for row, col, positive in prompt.points
    ]
    outline, marks = _start(prepared, prompt, weights)
    for row, col, positive in points:
        place = (int((row + 0.5) * inner[0] / height), int((col + 0.5) * inner[1] / width))
        mark = mark_places(prepared, np.array([place[0]]), np.array([place[1]]), positive=positive)
        outline = advance(prepared, outline, marks, mark, weights)
        marks.append(mark)
    if outline is None:
        return np.zeros((height, width), np.bool_)
    mask = enlarge_mask(prepared, outline.mask)
    if prompt.scribble is not None:
        mask = np.where(prompt.scribble != 0, prompt.scribble > 0, mask)
    for row, col, positive in points:
        mask[row, col] = positive
    return mask


def advance(
    prepared: Prepared, outline: Outline | None, marks: Sequence[Mark], mark: Mark, weights: Weights = WEIGHTS
) -> Outline | None:
    """Take one more mark into account.

    Parameters
    ----------
    prepared : Prepared
    outline : Outline or None
        The object so far; None while nothing positive is marked.
    marks : sequence of Mark
        All before this one.
    mark : Mark
    weights : Weights
    """
    if outline is not None:
        choice = change(prepared, outline.choice, marks, mark, weights)
        return redraw(prepared, outline, choice, [*marks, mark])
    if not mark.positive:
        return None
    outline = redraw(prepared, None, choose(prepared, mark, weights), [mark])
    known: list[Mark] = [mark]
    for earlier in marks:  # negative ones, given before there was an object
        choice = change(prepared, outline.choice, known, earlier, weights)
        known.append(earlier)
        outline = redraw(prepared, outline, choice, known)
    return outline


def mark_places(prepared: Prepared, rows: npt.NDArray[np.intp], cols: npt.NDArray[np.intp], *, positive: bool) -> Mark:
    """Make a mark of pixels at the size at which clicks are answered."""
    sources = np.unique(prepared.superpixels[rows, cols]).astype(np.int64)
    step = -(-rows.size // MOST_PLACES)
    return Mark(sources, rows[::step].astype(np.float64), cols[::step].astype(np.float64), positive)


def _start(prepared: Prepared, prompt: Prompt, weights: Weights) -> tuple[Outline | None, list[Mark]]:
    """Take boxes and strokes into account."""
    inner = (prepared.superpixels.shape[0], prepared.superpixels.shape[1])
    full = (int(prepared.shape[0]), int(prepared.shape[1]))
    small = shrink_prompt(prompt, full, inner)
    marks: list[Mark] = []
    outline = cut_boxes(prepared, small) if prompt.boxes else None
    if small.scribble is not None:
        for sign in (1, -1):
            rows, cols = np.nonzero(small.scribble == sign)
            if rows.size:
                mark = mark_places(prepared, rows, cols, positive=sign > 0)
                outline = advance(prepared, outline, marks, mark, weights)
                marks.append(mark)
    return outline, marks


def cut_boxes(prepared: Prepared, prompt: Prompt) -> Outline:
    """Cut out what is in the boxes, at the size at which clicks are answered."""
    inside = np.zeros(prepared.superpixels.shape, np.bool_)
    for top, left, bottom, right in prompt.boxes:
        inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    found = grabcut.segment(prepared.small, grabcut.Params(), Prompt(boxes=prompt.boxes)) > 0
    mask = np.logical_and(found, inside)
    if not mask.any():
        mask = inside
    count = prepared.areas.size
    chosen = np.bincount(prepared.superpixels.ravel(), mask.ravel(), count) > 0.5 * prepared.areas
    margins = np.where(chosen, BOX_MARGIN, -BOX_MARGIN)
    return Outline(Choice(chosen, margins), mask)


METHOD = Method(
    segment, Params, version=1, prompts=("points", "boxes", "scribble"), class_name="foreground",
    uses=("felzenszwalb", "grabcut", "region_merging"),
)  # fmt: skip
