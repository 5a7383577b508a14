"""The nearest of a few centres for each of many points."""

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.clustering import find_nearest
from prebrush.segmentation.kernels.compiled import as_input, compiled


@compiled
def _nearest_center(lines: npt.NDArray[np.float32], centers: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    nearest = np.zeros(lines.shape[1], np.int32)
    find_nearest(lines, centers, nearest, np.empty(nearest.size, np.float32))
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
