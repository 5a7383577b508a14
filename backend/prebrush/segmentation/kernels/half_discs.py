"""How much the two halves of a disc differ around each pixel, for several directions of the cut between them."""

from functools import cache

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.compiled import as_input, compiled

UNIT = 16
"""What one pixel counts; it is shared out between two bins in these steps, so that sums stay exact."""


@cache
def _offsets(radius: int, directions: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """List (row, column) steps to the pixels of each half disc, then those that enter and leave it one column on.

    Pixels on the cut belong to neither half. Returns the steps of all lists, one after the other, and where each
    starts: for direction d, half h and list l that is entry ``6 * d + 3 * h + l``.
    """
    span = np.arange(-radius, radius + 1)
    down, right = np.meshgrid(span, span, indexing="ij")
    disc = down**2 + right**2 <= (radius + 0.4) ** 2
    lists = []
    for number in range(directions):
        angle = np.pi * number / directions
        side = -down * np.cos(angle) - right * np.sin(angle)
        for sign in (1, -1):
            half = disc & (side * sign > 1e-6)
            around = np.pad(half, 1)
            entering = half & ~around[1:-1, 2:]
            leaving = half & ~around[1:-1, :-2]
            lists += [np.stack((down[part], right[part]), axis=1) for part in (half, entering, leaving)]
    starts = np.cumsum([0] + [len(part) for part in lists])
    return np.concatenate(lists).astype(np.int32), starts.astype(np.int64)


# the arrays are flat and framed by pixels of a bin of their own, so that the loop has no test for the border
@compiled
def _half_disc_gradient(  # noqa: C901  one loop: handing the arrays to pieces of it takes several times as long
    bins: npt.NDArray[np.uint8],
    shares: npt.NDArray[np.int32],
    steps: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    size: tuple[int, int, int],
    n_bins: int,
) -> npt.NDArray[np.float32]:
    height, width, radius = size
    directions = (starts.size - 1) // 6
    stride = width + 2 * radius
    result = np.zeros((directions, height, width), np.float32)
    one, other = np.zeros(n_bins + 2, np.int32), np.zeros(n_bins + 2, np.int32)
    for direction in range(directions):
        for row in range(height):
            one[:] = 0
            other[:] = 0
            for col in range(width):
                center = (row + radius) * stride + col + radius
                for half in range(2):
                    counts = one if half == 0 else other
                    place = 6 * direction + 3 * half
                    if col == 0:
                        begin, end = starts[place], starts[place + 1]
                    else:
                        begin, end = starts[place + 1], starts[place + 2]
                        for number in range(starts[place + 2], starts[place + 3]):
                            near = np.uint64(center - 1 + steps[np.uint64(number)])
                            found = np.uint64(bins[near])
                            counts[found] -= UNIT - shares[near]
                            counts[found + np.uint64(1)] -= shares[near]
                    for number in range(begin, end):
                        near = np.uint64(center + steps[np.uint64(number)])
                        found = np.uint64(bins[near])
                        counts[found] += UNIT - shares[near]
                        counts[found + np.uint64(1)] += shares[near]
                mass, other_mass = np.int32(0), np.int32(0)
                for number in range(n_bins):
                    mass += one[np.uint64(number)]
                    other_mass += other[np.uint64(number)]
                if mass == 0 or other_mass == 0:
                    continue
                scale, other_scale = np.float32(1) / np.float32(mass), np.float32(1) / np.float32(other_mass)
                total = np.float32(0)
                for number in range(n_bins):
                    here = np.float32(one[np.uint64(number)]) * scale
                    there = np.float32(other[np.uint64(number)]) * other_scale
                    total += (here - there) * (here - there) / (here + there + np.float32(1e-9))
                result[direction, row, col] = np.float32(0.5) * total
    return result


def half_disc_gradient(
    values: npt.NDArray[np.float32], n_bins: int, radius: int, directions: int
) -> npt.NDArray[np.float32]:
    """Compare histograms of the two halves of the disc around each pixel.

    Parameters
    ----------
    values : float32 (H, W)
        In bins, 0..n_bins - 1; a value between two bins counts in both.
    n_bins : int
        Up to 250.
    radius : int
        Of the disc, in pixels.
    directions : int
        Of the cut, evenly from 0 to 180 degrees: the first runs along the row, the next ones turn counter-clockwise.

    Returns
    -------
    float32 (directions, H, W)
        Chi-squared distance, 0 to 1; 0 where a half is all outside of the image.
    """
    height, width = values.shape
    stride = width + 2 * radius
    bins = np.full((height + 2 * radius, stride), n_bins, np.uint8)
    shares = np.zeros(bins.shape, np.int32)
    low = np.minimum(values, n_bins - 1).astype(np.uint8)
    inside = (slice(radius, radius + height), slice(radius, radius + width))
    bins[inside] = low
    shares[inside] = ((values - low) * UNIT + 0.5).astype(np.int32)
    pairs, starts = _offsets(radius, directions)
    steps = pairs[:, 0].astype(np.int64) * stride + pairs[:, 1]
    gradient: npt.NDArray[np.float32] = _half_disc_gradient(
        as_input(bins.reshape(-1)),
        as_input(shares.reshape(-1)),
        as_input(steps),
        as_input(starts),
        (height, width, radius),
        n_bins,
    )
    return gradient


def warm() -> None:
    """Compile on a tiny input."""
    half_disc_gradient(np.zeros((3, 4), np.float32), 2, 1, 2)
