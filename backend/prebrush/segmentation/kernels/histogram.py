"""Count the values of an 8-bit image."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import GrayImage
from prebrush.segmentation.kernels.compiled import as_input, compiled


@compiled
def _count(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    # four tables, because neighbouring pixels are often equal and would wait for each other's counter
    tables = np.zeros((4, 256), np.int64)
    whole = values.size - values.size % 4
    for at in range(0, whole, 4):
        tables[0, values[at]] += 1
        tables[1, values[at + 1]] += 1
        tables[2, values[at + 2]] += 1
        tables[3, values[at + 3]] += 1
    for at in range(whole, values.size):
        tables[0, values[at]] += 1
    counts: npt.NDArray[np.int64] = tables[0] + tables[1] + tables[2] + tables[3]
    return counts


def histogram(gray: GrayImage) -> npt.NDArray[np.int64]:
    """Count how often each value occurs.

    Parameters
    ----------
    gray : uint8, any shape

    Returns
    -------
    int64 (256,)
    """
    counts: npt.NDArray[np.int64] = _count(as_input(gray).reshape(-1))
    return counts


def warm() -> None:
    """Compile on a tiny input."""
    histogram(np.zeros((2, 3), np.uint8))
