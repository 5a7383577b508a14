"""Let pixels between two clusters join their neighbourhood, for a given price."""

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, RGBImage
from prebrush.segmentation.kernels.clustering import bin_of, look_up
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
_MAJORITY = 128
"""Of votes, out of 255."""


@compiled
def _offers(
    image: npt.NDArray[np.uint8],
    places: npt.NDArray[np.int32],
    costs: npt.NDArray[np.float32],
    owner: npt.NDArray[np.int32],
    votes: npt.NDArray[np.uint8],
    per_step: np.float32,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Find for each pixel the cluster with more votes than its own that costs least for each vote gained.

    Returns the pixels that have one, the cluster, the step of its cost for a vote, and what all in a step cost.
    """
    height, width = owner.shape
    count = costs.shape[1]
    pixels = np.empty(owner.size, np.int64)
    targets = np.empty(owner.size, np.int32)
    steps = np.empty(owner.size, np.int32)
    spent = np.zeros(STEPS)
    found = 0
    for row in range(height):
        for col in range(width):
            own = owner[row, col]
            now = np.int64(votes[row // GRID, col // GRID, own])
            if now >= _MAJORITY:
                continue
            at = places[bin_of(image[row, col])]
            mine = costs[at, own]
            best = own
            least = np.float32(np.inf)
            for other in range(count):
                gained = np.int64(votes[row // GRID, col // GRID, other]) - now
                extra = costs[at, other] - mine
                if gained > 0 and extra <= np.float32(FARTHEST**2 - 1) * mine and extra < least * np.float32(gained):
                    best = np.int32(other)
                    least = extra / np.float32(gained)
            if best != own:
                step = min(np.int64(STEPS - 1), np.int64(max(least, np.float32(0)) / per_step))
                pixels[found] = row * width + col
                targets[found] = best
                steps[found] = step
                spent[step] += costs[at, best] - mine
                found += 1
    return pixels[:found], targets[:found], steps[:found], spent


@compiled
def _accept(
    owner: npt.NDArray[np.int32],
    pixels: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int32],
    steps: npt.NDArray[np.int32],
    limit: int,
) -> npt.NDArray[np.int32]:
    """Make all moves in steps below the limit."""
    moved = owner.copy()
    flat = moved.reshape(-1)
    for place in range(pixels.size):
        if steps[place] < limit:
            flat[pixels[place]] = targets[place]
    return moved


def settle(
    image: RGBImage,
    places: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    costs: npt.NDArray[np.float32],
    share: float,
) -> LabelMap:
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
        Squared distance of each occupied bin to each centre.
    share : float
        By which the sum may grow, such as 0.01.

    Returns
    -------
    int32 (H, W)
        0..k - 1.

    Notes
    -----
    Cost: linear in pixels and clusters. A pixel in the majority of its neighbourhood is not looked at.
    """
    nearest = costs.argmin(axis=1).astype(np.int32)
    least = float((weights * costs.min(axis=1)).sum(dtype=np.float64))
    owner = look_up(image, places, nearest)
    per_step = np.float32(DEAREST * least / (owner.size * STEPS * 255))
    if costs.shape[1] < 2 or per_step <= 0:
        return owner
    spent = 0.0
    rounds = max(1, PLANES // costs.shape[1])
    inputs = as_input(image), as_input(places), as_input(costs)
    for done in range(1, rounds + 1):
        votes = _votes(owner, costs.shape[1])
        pixels, targets, steps, prices = _offers(*inputs, as_input(owner), as_input(votes), per_step)
        sums = np.cumsum(prices)
        # the last step has no upper end; sums may fall where a move goes back to a nearer centre
        limit = int(np.searchsorted(np.maximum.accumulate(sums[:-1]), share * least * done / rounds - spent, "right"))
        if limit == 0:
            break
        spent += float(sums[limit - 1])
        owner = _accept(as_input(owner), as_input(pixels), as_input(targets), as_input(steps), limit)
    return owner


def _votes(owner: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.uint8]:
    """Tell how much of the neighbourhood is in each cluster: uint8 (H / GRID, W / GRID, count), 255 is all of it."""
    grid = np.ascontiguousarray(owner[::GRID, ::GRID])
    votes = np.empty((*grid.shape, count), np.uint8)
    for number in range(count):
        plane = (grid == number).view(np.uint8) * np.uint8(255)
        votes[:, :, number] = cv2.blur(cv2.blur(plane, (WINDOW, WINDOW)), (WINDOW, WINDOW)).reshape(grid.shape)
    return votes


def warm() -> None:
    """Compile on a tiny input."""
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10
    settle(image, np.zeros(1 << 18, np.int32), np.ones(1, np.float32), np.ones((1, 2), np.float32), 0.1)
