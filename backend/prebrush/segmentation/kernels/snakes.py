"""Morphological snakes: contours that move by erosion and dilation instead of a differential equation."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask
from prebrush.segmentation.kernels.compiled import as_input, compiled

Field = npt.NDArray[np.float32]
Framed = npt.NDArray[np.uint8]
"""(H + 2, W + 2): a mask with a frame of zeros, so that no pixel of the mask lacks a neighbour."""


@compiled
def _sup_inf(inside: npt.NDArray[np.uint8], result: npt.NDArray[np.uint8]) -> None:
    """Keep the pixels that lie in the middle of three inside in a row, in any of four directions."""
    height, width = inside.shape
    for row in range(1, height - 1):
        for col in range(1, width - 1):
            result[row, col] = inside[row, col] & (
                (inside[row - 1, col] & inside[row + 1, col])
                | (inside[row, col - 1] & inside[row, col + 1])
                | (inside[row - 1, col - 1] & inside[row + 1, col + 1])
                | (inside[row - 1, col + 1] & inside[row + 1, col - 1])
            )


@compiled
def _inf_sup(inside: npt.NDArray[np.uint8], result: npt.NDArray[np.uint8]) -> None:
    """Add the pixels that do not lie in the middle of three outside in a row."""
    height, width = inside.shape
    for row in range(1, height - 1):
        for col in range(1, width - 1):
            result[row, col] = inside[row, col] | (
                (inside[row - 1, col] | inside[row + 1, col])
                & (inside[row, col - 1] | inside[row, col + 1])
                & (inside[row - 1, col - 1] | inside[row + 1, col + 1])
                & (inside[row - 1, col + 1] | inside[row + 1, col - 1])
            )


@compiled
def _repeat_border(inside: npt.NDArray[np.uint8]) -> None:
    """Let the frame repeat the pixels beside it, so that what is cut by the border is not worn down from there."""
    inside[0] = inside[1]
    inside[-1] = inside[-2]
    inside[:, 0] = inside[:, 1]
    inside[:, -1] = inside[:, -2]


@compiled
def _push(
    inside: npt.NDArray[np.uint8],
    speed: npt.NDArray[np.float32],
    least: np.float32,
    outwards: bool,
    result: npt.NDArray[np.uint8],
) -> None:
    """Dilate or erode by one pixel where the speed is over the least.

    Erosion is the dilation of what is outside. The border does not push: an object there would be worn down from it.
    """
    _repeat_border(inside)
    side = np.uint8(0) if outwards else np.uint8(1)
    for row in range(1, inside.shape[0] - 1):
        for col in range(1, inside.shape[1] - 1):
            pushed = np.uint8(0)
            for near_row in range(row - 1, row + 2):
                for near_col in range(col - 1, col + 2):
                    pushed |= inside[near_row, near_col] ^ side
            fast = np.uint8(speed[row - 1, col - 1] > least)
            result[row, col] = ((inside[row, col] ^ side) | (pushed & fast)) ^ side


@compiled
def _smooth(
    inside: npt.NDArray[np.uint8],
    spare: npt.NDArray[np.uint8],
    rounds: int,
    turn: int,
    open_border: bool,
) -> None:
    """Smooth in place, the two operators in alternating order."""
    for extra in range(rounds):
        if open_border:
            _repeat_border(inside)
        if (turn * rounds + extra) % 2 == 0:
            _inf_sup(inside, spare)
            if open_border:
                _repeat_border(spare)
            _sup_inf(spare, inside)
        else:
            _sup_inf(inside, spare)
            if open_border:
                _repeat_border(spare)
            _inf_sup(spare, inside)


@compiled
def _take_over(inside: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8]) -> bool:
    """Make ``before`` the same; tell whether it was."""
    changed = np.uint8(0)
    for row in range(1, inside.shape[0] - 1):
        for col in range(1, inside.shape[1] - 1):
            changed |= inside[row, col] ^ before[row, col]
            before[row, col] = inside[row, col]
    return bool(changed)


@compiled
def _add_up(
    image: npt.NDArray[np.float32],
    inside: npt.NDArray[np.uint8],
    before: npt.NDArray[np.uint8],
    sums: npt.NDArray[np.float64],
) -> bool:
    """Bring the sums of the image and the number of pixels on both sides up to date where a pixel has changed sides.

    Makes ``before`` the same; tells whether it was.
    """
    height, width, parts = image.shape
    changed = False
    for row in range(height):
        for col in range(width):
            side = inside[row + 1, col + 1]
            if side != before[row + 1, col + 1]:
                changed = True
                before[row + 1, col + 1] = side
                sums[side, parts] += 1
                sums[1 - side, parts] -= 1
                for part in range(parts):
                    sums[side, part] += image[row, col, part]
                    sums[1 - side, part] -= image[row, col, part]
    return changed


# one long loop: handing arrays to a function for each pixel takes several times as long
@compiled
def _chan_vese(  # noqa: C901, PLR0912  see above
    image: npt.NDArray[np.float32],
    inside: npt.NDArray[np.uint8],
    iterations: int,
    smoothing: int,
    lambda1: float,
    lambda2: float,
) -> None:
    height, width, parts = image.shape
    old = np.zeros_like(inside)
    spare = np.zeros_like(inside)
    # of the outside and the inside; all is outside at first
    sums = np.zeros((2, parts + 1))
    sums[0, parts] = height * width
    for row in range(height):
        for col in range(width):
            for part in range(parts):
                sums[0, part] += image[row, col, part]
    _add_up(image, inside, old, sums)
    means = np.empty((2, parts))
    still = 0
    for turn in range(iterations):
        for side in range(2):
            for part in range(parts):
                means[side, part] = sums[side, part] / max(sums[side, parts], 1.0)
        for row in range(height):
            up = max(row, 1)
            down = min(row + 2, height)
            for col in range(width):
                left = max(col, 1)
                right = min(col + 2, width)
                if old[up, col + 1] == old[down, col + 1] and old[row + 1, left] == old[row + 1, right]:
                    continue
                force = 0.0
                for part in range(parts):
                    gap_in = image[row, col, part] - means[1, part]
                    gap_out = image[row, col, part] - means[0, part]
                    force += lambda1 * gap_in * gap_in - lambda2 * gap_out * gap_out
                if force < 0:
                    inside[row + 1, col + 1] = 1
                elif force > 0:
                    inside[row + 1, col + 1] = 0
        _smooth(inside, spare, smoothing, turn, False)
        # the order of the operators alternates: only two turns without a change are the end
        still = 0 if _add_up(image, inside, old, sums) else still + 1
        if still == 2:
            return


# one long loop: handing arrays to a function for each pixel takes several times as long
@compiled
def _geodesic(  # noqa: C901  see above
    speed: npt.NDArray[np.float32],
    inside: npt.NDArray[np.uint8],
    iterations: int,
    smoothing: int,
    threshold: float,
    balloon: float,
) -> None:
    height, width = speed.shape
    old = inside.copy()
    spare = np.zeros_like(inside)
    moved = inside.copy()
    still = 0
    for turn in range(iterations):
        if balloon != 0:
            _push(old, speed, np.float32(threshold / abs(balloon)), balloon > 0, moved)
        else:
            moved[:] = old
        inside[:] = moved
        for row in range(height):
            up = max(row, 1)
            down = min(row + 2, height)
            for col in range(width):
                left = max(col, 1)
                right = min(col + 2, width)
                rise_down = np.float32(moved[down, col + 1]) - np.float32(moved[up, col + 1])
                rise_across = np.float32(moved[row + 1, right]) - np.float32(moved[row + 1, left])
                if rise_down == 0 and rise_across == 0:
                    continue
                if down - up == 2:
                    rise_down *= np.float32(0.5)
                if right - left == 2:
                    rise_across *= np.float32(0.5)
                slope_down = (speed[down - 1, col] - speed[up - 1, col]) / max(down - up, 1)
                slope_across = (speed[row, right - 1] - speed[row, left - 1]) / max(right - left, 1)
                force = slope_down * rise_down + slope_across * rise_across
                if force > 0:
                    inside[row + 1, col + 1] = 1
                elif force < 0:
                    inside[row + 1, col + 1] = 0
        _smooth(inside, spare, smoothing, turn, True)
        still = 0 if _take_over(inside, old) else still + 1
        if still == 2:
            return


def _framed(mask: Mask) -> Framed:
    """Put a frame of zeros around a mask."""
    return np.pad(mask.astype(np.uint8), 1)


def chan_vese_snake(image: Field, start: Mask, iterations: int, smoothing: int, lambda1: float, lambda2: float) -> Mask:
    """Move a contour until both sides are as even as they can be.

    Parameters
    ----------
    image : float32 (H, W, C)
    start : bool (H, W)
    iterations : int
        The most; it ends earlier when nothing moves any more.
    smoothing : int
        Rounds of smoothing in each iteration.
    lambda1, lambda2 : float
        Weight of the variation inside and outside.

    Returns
    -------
    bool (H, W)
    """
    inside = _framed(start)
    _chan_vese(as_input(image), inside, iterations, smoothing, lambda1, lambda2)
    return inside[1:-1, 1:-1].astype(np.bool_)


def geodesic_snake(
    speed: Field, start: Mask, iterations: int, smoothing: int, threshold: float, balloon: float
) -> Mask:
    """Move a contour until it lies where ``speed`` is lowest.

    Unlike scikit-image's, it does not move inwards from the border of the image.

    Parameters
    ----------
    speed : float32 (H, W)
        Low on edges.
    start : bool (H, W)
    iterations, smoothing : int
        As in `chan_vese_snake`.
    threshold : float
        The balloon does not push where the speed is up to this, divided by the balloon's size.
    balloon : float
        Over 0 the contour grows over even ground, below 0 it shrinks.

    Returns
    -------
    bool (H, W)
    """
    inside = _framed(start)
    _geodesic(as_input(speed), inside, iterations, smoothing, threshold, balloon)
    return inside[1:-1, 1:-1].astype(np.bool_)


def warm() -> None:
    """Compile on a tiny input."""
    image, start = np.zeros((3, 4, 3), np.float32), np.eye(3, 4, dtype=np.bool_)
    chan_vese_snake(image, start, 1, 1, 1.0, 1.0)
    geodesic_snake(image[:, :, 0], start, 1, 1, 0.5, 1.0)
