"""The nearest of a few centres for each of many points."""

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.compiled import as_input, compiled


@compiled
def _nearest_center(points: npt.NDArray[np.float32], centers: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    nearest = np.empty(points.shape[0], np.int32)
    for at in range(points.shape[0]):
        least = np.float32(np.inf)
        for number in range(centers.shape[0]):
            squared = np.float32(0)
            for part in range(centers.shape[1]):
                gap = points[at, part] - centers[number, part]
                squared += gap * gap
            if squared < least:
                least = squared
                nearest[at] = number
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
    nearest: npt.NDArray[np.int32] = _nearest_center(as_input(points), as_input(centers))
    return nearest


def warm() -> None:
    """Compile on a tiny input."""
    nearest_center(np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float32))
