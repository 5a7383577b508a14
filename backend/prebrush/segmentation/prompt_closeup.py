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


def look_closer(
    prepared: Prepared, points: Sequence[Point], weights: Weights = WEIGHTS
) -> tuple[Mask | None, Sequence[Point]]:
    """Answer the first clicks in windows, if they mean small things.

    Parameters
    ----------
    prepared : Prepared
    points : sequence of (row, col, positive)
        In pixels of ``Prepared.image``; the first one is positive.
    weights : Weights

    Returns
    -------
    drawn : bool (H', W') or None
        The answer to them; None where all are better answered in the whole image.
    points : sequence of (row, col, positive)
        The clicks that are left.
    """
    windows: list[Window] = []
    count = 0
    for point in points:
        if point[2] and not any(window.holds(point) for window in windows):
            # after one small thing another is meant
            window = (
                windows[0].moved(point, prepared.image.shape) if windows else _find_window(prepared, point, weights)
            )
            if window is None:
                break
            windows.append(window)
        count += 1
    drawn = np.zeros(prepared.image.shape[:2], np.bool_)
    for window in windows:
        found = _answer(prepared, window, points[:count], weights)
        if found is None or not found.any() or window.cut_off(found, prepared.image.shape):
            return None, points
        drawn[window.area] |= found
    for row, col, positive in points[:count]:
        drawn[row, col] = positive
    return (drawn, points[count:]) if drawn.any() else (None, points)


def _answer(prepared: Prepared, window: Window, points: Sequence[Point], weights: Weights) -> Mask | None:
    """Answer the clicks that lie in a window; negative ones elsewhere are far from the object."""
    here = [(row - window.top, col - window.left, yes) for row, col, yes in points if window.holds((row, col, yes))]
    near = prepare(np.ascontiguousarray(prepared.image[window.area]), WINDOW_PIXELS, MOST_ENLARGED)
    return follow(near, None, mark_clicks(near, here), weights)


def _find_window(prepared: Prepared, point: Point, weights: Weights) -> Window | None:
    """Find the surroundings of a small first answer; None where it is not small."""
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
    return Window(
        max(0, int((row - half) * scale[0])), max(0, int((col - half) * scale[1])),
        min(prepared.image.shape[0], int((row + half) * scale[0]) + 1),
        min(prepared.image.shape[1], int((col + half) * scale[1]) + 1),
    )  # fmt: skip
