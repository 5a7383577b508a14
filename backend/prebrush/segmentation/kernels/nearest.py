"""The nearest of a few centres for each of many points."""

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.compiled import as_input, compiled, inlined

BLOCK = 256
"""Points that are looked at together."""


# clustering.py has the same few lines: numba's cache does not notice a change in another module's kernel
@inlined
def _find_nearest(
    lines: npt.NDArray[np.float32],
    centers: npt.NDArray[np.float32],
    owner: npt.NDArray[np.int32],
    least: npt.NDArray[np.float32],
) -> None:
    """Write the nearest centre of each point, of equally near ones the first, and the squared distance."""
    parts, size = lines.shape
    squared = np.empty(BLOCK, np.float32)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        owned, nearest = owner[start:stop], least[start:stop]
        nearest[:] = np.inf
        for number in range(centers.shape[0]):
            squared[:] = 0
            for part in range(parts):
                line, middle = lines[part, start:stop], centers[number, part]
                for at in range(stop - start):
                    squared[at] += (line[at] - middle) * (line[at] - middle)
            for at in range(stop - start):
                is_nearer = squared[at] < nearest[at]
                nearest[at] = squared[at] if is_nearer else nearest[at]
                owned[at] = np.int32(number) if is_nearer else owned[at]


@compiled
def _nearest_center(lines: npt.NDArray[np.float32], centers: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    nearest = np.zeros(lines.shape[1], np.int32)
    _find_nearest(lines, centers, nearest, np.empty(nearest.size, np.float32))
    return nearest


def nearest_center(points: npt.NDArray[np.float32], centers: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Find the nearest centre of each point.

    Parameters
    ----------
    points : float32 (n, d)
    centers : float32 (k, d)

    Returns
    -------
    int32 (n,)
        0..k - 1; of equally near ones the first.
    """
    nearest: npt.NDArray[np.int32] = _nearest_center(as_input(points.T), as_input(centers))
    return nearest


def warm() -> None:
    """Compile on a tiny input."""
    nearest_center(np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float32))
