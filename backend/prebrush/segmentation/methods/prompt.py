"""Prompt: the object that clicks, boxes and strokes mean, by colour, texture, distance, contours and graph cuts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.method import Method, Preparation
from prebrush.segmentation.methods import grabcut
from prebrush.segmentation.prompt_image import Prepared, prepare
from prebrush.segmentation.prompt_outline import Outline, draw_along_edges, enlarge_mask, redraw
from prebrush.segmentation.prompt_regions import Choice, Mark, change, choose
from prebrush.segmentation.prompt_weights import WEIGHTS, Weights
from prebrush.segmentation.scaling import shrink_prompt

__all__ = ["METHOD", "Params", "Prepared", "answer", "find_object", "prepare", "segment"]

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
        Boxes count first, then strokes, then clicks in their order. One positive click gives a whole object around it.
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
    if not prompt:
        return grabcut.segment(image, grabcut.Params(), prompt)
    return answer(prepare(image), params, prompt)


def answer(prepared: Prepared, params: Any, prompt: Prompt) -> LabelMap:
    """Cut out the marked object of a prepared image; see `segment`."""
    del params
    if not prompt:
        found = grabcut.segment(prepared.image, grabcut.Params(), prompt) > 0
        return enlarge_mask(prepared, found).astype(np.int32)
    return find_object(prepared, prompt).astype(np.int32)


def find_object(prepared: Prepared, prompt: Prompt, weights: Weights = WEIGHTS) -> Mask:
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
    points = [
        (min(max(row, 0), height - 1), min(max(col, 0), width - 1), positive) for row, col, positive in prompt.points
    ]
    boxed = cut_boxes(prepared, prompt) if prompt.boxes else None
    outline = None if boxed is None else boxed.outline
    marks: list[Mark] = []
    for mark in [*_strokes(prepared, prompt), *_clicks(prepared, points)]:
        outline = advance(prepared, outline, marks, mark, weights)
        marks.append(mark)
    if outline is None:
        return np.zeros((height, width), np.bool_)
    drawn = draw_along_edges(prepared, outline.mask)
    if boxed is not None:
        drawn = np.where(_enlarge_change(prepared, outline.mask != boxed.outline.mask), drawn, boxed.drawn)
    mask = enlarge_mask(prepared, drawn)
    inside = _inside_of(prompt, height, width)
    if all(inside[row, col] for row, col, positive in points if positive):
        mask = mask & inside
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


def _strokes(prepared: Prepared, prompt: Prompt) -> Iterator[Mark]:
    """Make a mark of all positive strokes, and one of all negative ones."""
    full = (int(prepared.shape[0]), int(prepared.shape[1]))
    inner = (prepared.superpixels.shape[0], prepared.superpixels.shape[1])
    scribble = shrink_prompt(Prompt(scribble=prompt.scribble), full, inner).scribble
    if scribble is None:
        return
    for sign in (1, -1):
        rows, cols = np.nonzero(scribble == sign)
        if rows.size:
            yield mark_places(prepared, rows, cols, positive=sign > 0)


def _clicks(prepared: Prepared, points: Sequence[tuple[int, int, bool]]) -> Iterator[Mark]:
    """Make a mark of each click within the image."""
    height, width = int(prepared.shape[0]), int(prepared.shape[1])
    inner = prepared.superpixels.shape
    for row, col, positive in points:
        place = (int((row + 0.5) * inner[0] / height), int((col + 0.5) * inner[1] / width))
        yield mark_places(prepared, np.array([place[0]]), np.array([place[1]]), positive=positive)


class Boxed(NamedTuple):
    """What is in the boxes, before any other mark.

    Attributes
    ----------
    outline : Outline
        At the size at which clicks are answered.
    drawn : bool (H', W')
        At that of ``Prepared.image``.
    """

    outline: Outline
    drawn: Mask


def cut_boxes(prepared: Prepared, prompt: Prompt) -> Boxed:
    """Cut out what is in the boxes with `grabcut`; all of them where it finds nothing."""
    height, width = prepared.image.shape[:2]
    full = (int(prepared.shape[0]), int(prepared.shape[1]))
    boxes = shrink_prompt(Prompt(boxes=prompt.boxes), full, (height, width))
    drawn = grabcut.segment(prepared.image, grabcut.Params(), boxes) > 0
    if not drawn.any():
        drawn = _inside_of(boxes, height, width)
    inner = prepared.superpixels.shape
    mask = cv2.resize(drawn.astype(np.float32), inner[::-1], interpolation=cv2.INTER_AREA).reshape(inner) >= 0.5
    count = prepared.areas.size
    chosen = np.bincount(prepared.superpixels.ravel(), mask.ravel(), count) > 0.5 * prepared.areas
    margins = np.where(chosen, BOX_MARGIN, -BOX_MARGIN)
    return Boxed(Outline(Choice(chosen, margins), mask), drawn)


def _inside_of(prompt: Prompt, height: int, width: int) -> Mask:
    """Return bool (height, width), True in the boxes; everywhere where there are none."""
    inside = np.full((height, width), not prompt.boxes)
    for top, left, bottom, right in prompt.boxes:
        inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return inside


def _enlarge_change(prepared: Prepared, changed: Mask) -> Mask:
    """Bring what changed since the boxes to the size of the image, and a pixel around it."""
    height, width = prepared.image.shape[:2]
    around = cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8))
    return cv2.resize(around, (width, height), interpolation=cv2.INTER_NEAREST).reshape(height, width) > 0


METHOD = Method(
    segment, Params, version=1, prompts=("points", "boxes", "scribble"), class_name="foreground",
    uses=("grabcut", "region_merging"), preparation=Preparation(prepare, answer, Prepared),
)  # fmt: skip
