"""Small things are answered in a window around them that is prepared at a larger scale."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from prebrush.datatypes import Mask
from prebrush.segmentation.prompt_image import Prepared, prepare
from prebrush.segmentation.prompt_regions import choose
from prebrush.segmentation.prompt_session import Point, follow, mark_clicks
from prebrush.segmentation.prompt_weights import WEIGHTS, Weights

FEW = 6
"""A first answer of at most so many superpixels is looked at closely, unless it is large."""
AROUND = 3.0
"""The window is so many times as long as that answer."""
LEAST_WINDOW = 60
"""But so many pixels of the size at which clicks are answered."""
WINDOW_PIXELS = 22_500
LEAST_GAIN = 1.5
"""What is enlarged less is not worth it."""
MOST_ENLARGED = 4.0
SAME = 2 / 3
"""The closer look must find at least this share of that answer: it is to draw the thing finer, not to take a part."""


class Window(NamedTuple):
    """A part of ``Prepared.image``, in its pixels; half-open."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def holds(self, point: Point) -> bool:
        """Whether a click lies in it."""
        return self.top <= point[0] < self.bottom and self.left <= point[1] < self.right

    def moved(self, point: Point, shape: tuple[int, ...]) -> "Window":
        """Return one of about this size around a click in an image of this shape."""
        height, width = self.bottom - self.top, self.right - self.left
        top, left = max(0, point[0] - height // 2), max(0, point[1] - width // 2)
        return Window(top, left, min(shape[0], top + height), min(shape[1], left + width))

    def cut_off(self, mask: Mask, shape: tuple[int, ...]) -> bool:
        """Whether a mask of the window goes on beyond its sides, as far as they are not those of the image."""
        sides = (
            (self.top > 0, mask[0]), (self.left > 0, mask[:, 0]),
            (self.bottom < shape[0], mask[-1]), (self.right < shape[1], mask[:, -1]),
        )  # fmt: skip
        return any(open_ and side.any() for open_, side in sides)


class Small(NamedTuple):
    """A first answer that is small.

    Attributes
    ----------
    window : Window
        Its surroundings.
    area : float
        In pixels of ``Prepared.image``.
    """

    window: Window
    area: float


def look_closer(prepared: Prepared, points: Sequence[Point], weights: Weights = WEIGHTS) -> Mask | None:
    """Answer clicks in windows, if they mean small things.

    Parameters
    ----------
    prepared : Prepared
    points : sequence of (row, col, positive)
        In pixels of ``Prepared.image``; the first one is positive.
    weights : Weights

    Returns
    -------
    bool (H', W') or None
        None where they are better answered in the whole image.
    """
    small = _find_small(prepared, points[0], weights)
    if small is None:
        return None
    windows = [small.window]
    for point in points:
        if point[2] and not any(window.holds(point) for window in windows):
            # after one small thing another is meant
            windows.append(small.window.moved(point, prepared.image.shape))
    drawn = np.zeros(prepared.image.shape[:2], np.bool_)
    for window in windows:
        near = prepare(np.ascontiguousarray(prepared.image[window.area]), WINDOW_PIXELS, MOST_ENLARGED)
        found = _answer(near, window, points, weights)
        # what is clicked away is empty, which is an answer, too
        if found is None or window.cut_off(found, prepared.image.shape):
            return None
        if window is small.window:
            first = found if len(points) == 1 else _answer(near, window, points[:1], weights)
            # of the same thing, or else every click must be answered in the whole image
            if first is None or np.count_nonzero(first) < SAME * small.area:
                return None
        drawn[window.area] |= found
    for row, col, positive in points:
        drawn[row, col] = positive
    return drawn


def _answer(near: Prepared, window: Window, points: Sequence[Point], weights: Weights) -> Mask | None:
    """Answer the clicks that lie in a window; negative ones elsewhere are far from the object."""
    here = [(row - window.top, col - window.left, yes) for row, col, yes in points if window.holds((row, col, yes))]
    return follow(near, None, mark_clicks(near, here), weights)


def _find_small(prepared: Prepared, point: Point, weights: Weights) -> Small | None:
    """Find a first answer and its surroundings; None where it is not small."""
    size = prepared.superpixels.shape
    scale = prepared.image.shape[0] / size[0], prepared.image.shape[1] / size[1]
    mark = next(mark_clicks(prepared, [point]))
    chosen = choose(prepared, mark, weights).chosen
    if np.count_nonzero(chosen) > FEW:
        return None
    rows, cols = np.nonzero(chosen[prepared.superpixels])
    half = max(AROUND * max(np.ptp(rows), np.ptp(cols)), LEAST_WINDOW) / 2
    if (2 * half * LEAST_GAIN) ** 2 > WINDOW_PIXELS:
        return None
    row, col = (float(rows.min()) + float(rows.max())) / 2, (float(cols.min()) + float(cols.max())) / 2
    window = Window(
        max(0, int((row - half) * scale[0])), max(0, int((col - half) * scale[1])),
        min(prepared.image.shape[0], int((row + half) * scale[0]) + 1),
        min(prepared.image.shape[1], int((col + half) * scale[1]) + 1),
    )  # fmt: skip
    return Small(window, rows.size * scale[0] * scale[1])
