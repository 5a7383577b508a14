"""What marks make of an image, one after the other: each adds or takes away a piece, the rest stays as it is."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask, Prompt
from prebrush.segmentation.kernels.flooding import flood
from prebrush.segmentation.prompt_image import Prepared
from prebrush.segmentation.prompt_outline import Outline, correct_locally, draw_along_edges, redraw
from prebrush.segmentation.prompt_regions import Choice, Mark, change, choose
from prebrush.segmentation.prompt_weights import WEIGHTS, Weights
from prebrush.segmentation.scaling import shrink_prompt

MOST_PLACES = 200
"""Of a stroke, so many pixels are looked at."""
INNERMOST = 0.9
"""How deep in a mask its innermost places are, as a share of the deepest one."""
LEAST_MARGIN = 0.3
"""How sure a mask is of what it holds, as log odds, at least."""

LEAST_LEFT = 0.1
"""Share of an object that is left by a negative click at least; less is no correction."""

Point = tuple[int, int, bool]


class Start(NamedTuple):
    """What is known before the first mark: a mask from elsewhere.

    Attributes
    ----------
    marks : list of Mark
        The innermost places of it, as if they had been clicked, and marks that it holds to already.
    outline : Outline
        At the size at which clicks are answered.
    drawn : bool (H', W')
        At that of ``Prepared.image``.
    """

    marks: list[Mark]
    outline: Outline
    drawn: Mask


def start_from(prepared: Prepared, drawn: Mask, weights: Weights = WEIGHTS) -> Start:
    """Take a mask for the object so far.

    Parameters
    ----------
    prepared : Prepared
    drawn : bool (H', W')
        Not empty.
    weights : Weights
    """
    inner = prepared.superpixels.shape
    covered = cv2.resize(drawn.astype(np.float32), inner[::-1], interpolation=cv2.INTER_AREA).reshape(inner)
    # of what is smaller than a pixel here, that pixel
    mask = covered >= min(0.5, float(covered.max()))
    mark = mark_places(prepared, *_innermost(mask), positive=True)
    chosen = np.bincount(prepared.superpixels.ravel(), mask.ravel(), prepared.areas.size) > 0.5 * prepared.areas
    # what a click there would say, where it does not speak against the mask
    margins = choose(prepared, mark, weights).margins
    margins = np.where(chosen, np.maximum(margins, LEAST_MARGIN), np.minimum(margins, -LEAST_MARGIN))
    return Start([mark], Outline(Choice(chosen, margins), mask), drawn)


def follow(prepared: Prepared, start: Start | None, marks: Iterable[Mark], weights: Weights = WEIGHTS) -> Mask | None:
    """Take marks into account, in their order.

    Returns
    -------
    bool (H', W') or None
        At the size of ``Prepared.image``; None where nothing positive is marked.
    """
    outline, known = (None, []) if start is None else (start.outline, list(start.marks))
    for mark in marks:
        outline = advance(prepared, outline, known, mark, weights)
        known.append(mark)
    if outline is None:
        return None
    drawn = draw_along_edges(prepared, outline.mask)
    if start is None:
        return drawn
    return np.where(_enlarge_change(prepared, outline.mask != start.outline.mask), drawn, start.drawn)


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
        if (outline.mask[mark.rows.astype(np.intp), mark.cols.astype(np.intp)] == mark.positive).all():
            return outline  # it says what is so already; later marks do not take it away
        small = correct_locally(prepared, outline, [*marks, mark])
        if small is not None:
            return small
        choice = change(prepared, outline.choice, marks, mark, weights)
        redrawn = redraw(prepared, outline, choice, [*marks, mark])
        if not mark.positive and redrawn.mask.sum() < LEAST_LEFT * outline.mask.sum():
            return _part_at_neck(prepared, outline, marks, mark) or redrawn
        return redrawn
    if not mark.positive:
        return None
    outline = redraw(prepared, None, choose(prepared, mark, weights), [mark])
    known: list[Mark] = [mark]
    for earlier in marks:  # negative ones, given before there was an object
        choice = change(prepared, outline.choice, known, earlier, weights)
        known.append(earlier)
        outline = redraw(prepared, outline, choice, known)
    return outline


def _part_at_neck(prepared: Prepared, outline: Outline, marks: Sequence[Mark], mark: Mark) -> Outline | None:
    """Part the object at the neck between a negative mark and the positive ones; None where there is no positive one.

    For what colour and edges cannot part: two flat things that touch are one superpixel.
    """
    markers = np.zeros(outline.mask.shape, np.int32)
    markers[mark.rows.astype(np.intp), mark.cols.astype(np.intp)] = 2
    for earlier in marks:
        if earlier.positive:
            markers[earlier.rows.astype(np.intp), earlier.cols.astype(np.intp)] = 1
    if not (markers == 1).any():
        return None
    pixels = cv2.copyMakeBorder(outline.mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = np.asarray(cv2.distanceTransform(pixels, cv2.DIST_L2, 5), np.float64)[1:-1, 1:-1]
    relief = 65535 * (1 - depth / max(1.0, float(depth.max())))
    mask = flood(relief.astype(np.uint16), markers, outline.mask) == 1
    chosen = np.bincount(prepared.superpixels.ravel(), mask.ravel(), prepared.areas.size) > 0.5 * prepared.areas
    margins = outline.choice.margins
    margins = np.where(chosen, np.maximum(margins, LEAST_MARGIN), np.minimum(margins, -LEAST_MARGIN))
    return Outline(Choice(chosen, margins), mask)


def mark_places(prepared: Prepared, rows: npt.NDArray[np.intp], cols: npt.NDArray[np.intp], *, positive: bool) -> Mark:
    """Make a mark of pixels at the size at which clicks are answered."""
    sources = np.unique(prepared.superpixels[rows, cols]).astype(np.int64)
    step = -(-rows.size // MOST_PLACES)
    return Mark(sources, rows[::step].astype(np.float64), cols[::step].astype(np.float64), positive)


def mark_strokes(prepared: Prepared, scribble: npt.NDArray[np.int8] | None) -> Iterator[Mark]:
    """Make a mark of all positive strokes, and one of all negative ones; they are int8 (H, W)."""
    full = (int(prepared.shape[0]), int(prepared.shape[1]))
    inner = (prepared.superpixels.shape[0], prepared.superpixels.shape[1])
    small = shrink_prompt(Prompt(scribble=scribble), full, inner).scribble
    if small is None:
        return
    for sign in (1, -1):
        rows, cols = np.nonzero(small == sign)
        if rows.size:
            yield mark_places(prepared, rows, cols, positive=sign > 0)


def mark_clicks(prepared: Prepared, points: Iterable[Point]) -> Iterator[Mark]:
    """Make a mark of each click within the image."""
    height, width = int(prepared.shape[0]), int(prepared.shape[1])
    inner = prepared.superpixels.shape
    for row, col, positive in points:
        place = (int((row + 0.5) * inner[0] / height), int((col + 0.5) * inner[1] / width))
        yield mark_places(prepared, np.array([place[0]]), np.array([place[1]]), positive=positive)


def _innermost(mask: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Find the places of each connected piece of a mask that are about farthest from its outline."""
    pixels = mask.astype(np.uint8)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(pixels, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)
    depth = depth[1:-1, 1:-1]
    count, numbers = cv2.connectedComponents(pixels, connectivity=8)
    pieces = np.asarray(numbers, np.intp)
    deepest = np.zeros(count)
    np.maximum.at(deepest, pieces, depth)
    rows, cols = np.nonzero(mask & (depth >= INNERMOST * deepest[pieces]))
    return rows, cols


def _enlarge_change(prepared: Prepared, changed: Mask) -> Mask:
    """Bring what changed since the start to the size of the image, and a pixel around it."""
    height, width = prepared.image.shape[:2]
    around = cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8))
    return cv2.resize(around, (width, height), interpolation=cv2.INTER_NEAREST).reshape(height, width) > 0
