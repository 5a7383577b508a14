"""Let pixels between two clusters join their neighbourhood, for a given price."""

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import RGBImage
from prebrush.segmentation.kernels.color_bins import bin_of, look_up
from prebrush.segmentation.kernels.compiled import as_input, compiled

GRID = 2
"""One pixel in so many, each way, votes, and so many pixels each way have the same neighbourhood."""
WINDOW = 7
"""Side of the box, in steps of the grid, whose mean is taken twice: a vote weighed by nearness."""
PLANES = 10
"""So many times the votes for a cluster are counted: more rounds of two clusters, which are large, than of five. Each
round may spend an equal part of the price: where neighbours have moved, others follow."""
FARTHEST = 2.0
"""A pixel stays with its cluster if the next centre is more than this many times as far away: what has a clear colour
is a thing, however small."""
STEPS = 512
"""In which the price of a vote is sorted."""
DEAREST = 8.0
"""Price that is sorted last, for a full vote: so many times the mean distance."""
BLOCK = 256
"""Pixels that are looked at together."""
_MAJORITY = 128
"""Of votes, out of 255."""
_NONE = 255
"""No cluster's number."""


@compiled
def _undecided(owner: npt.NDArray[np.uint8], leader: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Find the pixels that are not in the majority of their neighbourhood."""
    height, width = owner.shape
    pixels = np.empty(owner.size, np.int32)
    found = 0
    for row in range(height):
        for col in range(width):
            pixels[found] = row * width + col
            found += owner[row, col] != leader[row // GRID, col // GRID]
    return pixels[:found]


@compiled
def _offers(
    image: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int32],
    costs: npt.NDArray[np.float32],
    owner: npt.NDArray[np.uint8],
    votes: npt.NDArray[np.uint8],
    pixels: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Find for each pixel the cluster with more votes than its own that costs least for each vote gained.

    Returns the cluster, what it costs, and that for a vote: 0 and infinite where there is none.
    """
    width, count = np.uint64(owner.shape[1]), np.uint64(costs.shape[1])
    targets = np.zeros(pixels.size, np.uint8)
    extras = np.zeros(pixels.size, np.float32)
    prices = np.full(pixels.size, np.float32(np.inf), np.float32)
    bins, rows, cols = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    now, mine = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    extra, gained = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for start in range(0, pixels.size, BLOCK):
        size = min(BLOCK, pixels.size - start)
        target, least, paid = targets[start : start + size], prices[start : start + size], extras[start : start + size]
        for at in range(size):
            row = np.uint64(pixels[start + at]) // width
            col = np.uint64(pixels[start + at]) - row * width
            own = np.uint64(owner[row, col])
            bins[at] = places[bin_of(image[row, col])]
            rows[at], cols[at] = row // np.uint64(GRID), col // np.uint64(GRID)
            mine[at] = costs[np.uint64(bins[at]), own]
            now[at] = votes[own, np.uint64(rows[at]), np.uint64(cols[at])]
        for other in range(count):
            for at in range(size):
                extra[at] = costs[np.uint64(bins[at]), other] - mine[at]
                gained[at] = np.float32(votes[other, np.uint64(rows[at]), np.uint64(cols[at])]) - now[at]
            # apart from the loop above, which jumps about in memory, so that this one looks at many in one step
            for at in range(size):
                price = extra[at] / gained[at]
                near = extra[at] <= np.float32(FARTHEST**2 - 1) * mine[at]
                better = near & (gained[at] > 0) & (price < least[at])
                target[at] = np.uint8(other) if better else target[at]
                paid[at] = extra[at] if better else paid[at]
                least[at] = price if better else least[at]
    return targets, extras, prices


@compiled
def _sum_by_step(steps: npt.NDArray[np.float32], extras: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    sums = np.zeros(STEPS)
    for place in range(steps.size):
        sums[np.uint64(steps[place])] += extras[place]
    return sums


@compiled
def _accept(
    owner: npt.NDArray[np.uint8],
    pixels: npt.NDArray[np.int32],
    targets: npt.NDArray[np.uint8],
    steps: npt.NDArray[np.float32],
    limit: int,
) -> npt.NDArray[np.uint8]:
    """Make all moves in steps below the limit."""
    moved = owner.copy()
    flat = moved.reshape(-1)
    for place in range(pixels.size):
        at = np.uint64(pixels[place])
        flat[at] = targets[place] if steps[place] < limit else flat[at]
    return moved


def settle(
    image: RGBImage,
    places: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    costs: npt.NDArray[np.float32],
    share: float,
) -> npt.NDArray[np.uint8]:
    """Give every pixel a cluster: the nearest in colour, or the one of its neighbourhood if that is hardly farther.

    The moves that cost least for the votes they gain are made first, until the sum of squared distances has grown by
    a share. So specks and bridges of mixed colours go, and small things of a colour of their own stay.

    Parameters
    ----------
    image : uint8 (H, W, 3)
    places : int32 (BINS,)
        Where each colour is among the occupied bins, from `color_bins`.
    weights : float32 (n,)
        Pixels in each occupied bin.
    costs : float32 (n, k)
        Squared distance of each occupied bin to each of at most 254 centres.
    share : float
        By which the sum may grow, such as 0.01.

    Returns
    -------
    uint8 (H, W)
        0..k - 1.

    Notes
    -----
    Cost: linear in pixels and clusters. A pixel in the majority of its neighbourhood is not looked at.
    """
    nearest = costs.argmin(axis=1).astype(np.uint8)
    least = float((weights * costs[np.arange(len(costs)), nearest]).sum(dtype=np.float64))
    owner = look_up(image, places, nearest)
    per_step = np.float32(DEAREST * least / (owner.size * STEPS * 255))
    if costs.shape[1] < 2 or per_step <= 0:
        return owner
    spent = 0.0
    rounds = max(1, PLANES // costs.shape[1])
    inputs = as_input(image), as_input(places), as_input(costs)
    for done in range(1, rounds + 1):
        votes, leader = _votes(owner, costs.shape[1])
        pixels = as_input(_undecided(as_input(owner), as_input(leader)))
        targets, extras, prices = _offers(*inputs, as_input(owner), as_input(votes), pixels)
        steps = np.clip(prices / per_step, 0, STEPS - 1)
        sums = np.cumsum(_sum_by_step(as_input(steps), as_input(extras)))
        # the last step has no upper end; sums may fall where a move goes back to a nearer centre
        limit = int(np.searchsorted(np.maximum.accumulate(sums[:-1]), share * least * done / rounds - spent, "right"))
        if limit == 0:
            break
        spent += float(sums[limit - 1])
        owner = _accept(as_input(owner), pixels, as_input(targets), as_input(steps), limit)
    return owner


def _votes(owner: npt.NDArray[np.uint8], count: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Tell how much of the neighbourhood is in each cluster, and which has the majority.

    uint8 (count, H / GRID, W / GRID), 255 is all of it, and uint8 (H / GRID, W / GRID), `_NONE` where none has.
    """
    grid = np.ascontiguousarray(owner[::GRID, ::GRID])
    votes = np.empty((count, *grid.shape), np.uint8)
    leader = np.full(grid.shape, _NONE, np.uint8)
    for number, plane in enumerate(votes):
        own = (grid == number).view(np.uint8) * np.uint8(255)
        cv2.blur(cv2.blur(own, (WINDOW, WINDOW)), (WINDOW, WINDOW), dst=plane)
        np.copyto(leader, np.uint8(number), where=plane >= _MAJORITY)
    return votes, leader


def warm() -> None:
    """Compile on a tiny input."""
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10
    settle(image, np.zeros(1 << 18, np.int32), np.ones(1, np.float32), np.ones((1, 2), np.float32), 0.1)
