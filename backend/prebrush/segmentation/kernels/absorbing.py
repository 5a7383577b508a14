"""Let whole pieces of a cluster, whose colour lies between two, join the cluster around them."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import RGBImage
from prebrush.segmentation.kernels.color_bins import look_up
from prebrush.segmentation.kernels.compiled import as_input, compiled
from prebrush.segmentation.kernels.components import areas_of, connected_components

LARGEST = 0.01
"""Share of the image that such a piece has at most: what is larger is a region of its own."""
SURROUNDED = 0.5
"""Share of its outline that lies along one other cluster."""
FARTHEST = 3.0
"""A piece stays if the other centre is more than this many times as far away: that is a clear colour."""


@compiled
def _contacts(
    pieces: npt.NDArray[np.int32], owner: npt.NDArray[np.uint8], contacts: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Count the pairs of neighbouring pixels between each piece and each other cluster."""
    height, width = pieces.shape
    for row in range(height):
        for col in range(width):
            here = pieces[row, col]
            if col + 1 < width and pieces[row, col + 1] != here:
                contacts[here, owner[row, col + 1]] += 1
                contacts[pieces[row, col + 1], owner[row, col]] += 1
            if row + 1 < height and pieces[row + 1, col] != here:
                contacts[here, owner[row + 1, col]] += 1
                contacts[pieces[row + 1, col], owner[row, col]] += 1
    return contacts


@compiled
def _sums(
    pieces: npt.NDArray[np.int32],
    bins: npt.NDArray[np.int32],
    costs: npt.NDArray[np.float32],
    origin: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Sum what each piece costs in its own cluster and in the other one."""
    sums = np.zeros((origin.size, 2))
    for row in range(pieces.shape[0]):
        for col in range(pieces.shape[1]):
            piece, place = pieces[row, col], bins[row, col]
            sums[piece, 0] += costs[place, origin[piece]]
            sums[piece, 1] += costs[place, target[piece]]
    return sums


def absorb(
    image: RGBImage,
    places: npt.NDArray[np.int32],
    costs: npt.NDArray[np.float32],
    owner: npt.NDArray[np.uint8],
    most: float,
) -> npt.NDArray[np.uint8]:
    """Give small pieces to the cluster around them, the cheapest for their size first.

    Parameters
    ----------
    image : uint8 (H, W, 3)
    places : int32 (BINS,)
        Where each colour is among the occupied bins, from `color_bins`.
    costs : float32 (n, k)
        Squared distance of each occupied bin to each of at least two centres.
    owner : uint8 (H, W)
        The cluster of each pixel, 0..k - 1.
    most : float
        The sum of squared distances does not grow beyond this.

    Returns
    -------
    uint8 (H, W)
        0..k - 1.
    """
    pieces, origin = connected_components(owner.astype(np.int32) + 1)
    count = origin.size
    own = np.maximum(origin.astype(np.int64) - 1, 0)
    everyone = np.arange(count)
    contacts = _contacts(as_input(pieces), as_input(owner), np.zeros((count, costs.shape[1]), np.int32))
    contacts[everyone, own] = 0  # those that touch it by a corner alone
    target = contacts.argmax(axis=1)
    surrounded = contacts[everyone, target] >= SURROUNDED * np.maximum(contacts.sum(axis=1), 1)
    bins = look_up(image, places, np.arange(len(costs), dtype=np.int32))
    now, then = _sums(as_input(pieces), as_input(bins), as_input(costs), as_input(own), as_input(target)).T
    areas = areas_of(pieces, count - 1)
    between = then <= FARTHEST**2 * now
    candidates = np.flatnonzero(surrounded & between & (areas <= LARGEST * owner.size) & (areas > 0))
    extra = np.maximum(then - now, 0)
    order = candidates[np.argsort(extra[candidates] / areas[candidates], kind="stable")]
    moved = order[np.cumsum(extra[order]) <= most - float(now.sum())]
    own[moved] = target[moved]
    return np.asarray(own.astype(np.uint8)[pieces], np.uint8)


def warm() -> None:
    """Compile on a tiny input."""
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10
    costs = np.ones((1, 2), np.float32)
    absorb(image, np.zeros(1 << 18, np.int32), costs, np.array([[0, 0, 1], [0, 1, 1]], np.uint8), 10.0)
