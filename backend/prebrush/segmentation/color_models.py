"""How common each colour is in a part of an image: smoothed histograms over Lab, for telling object from background."""

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

CELL = 0.15
"""Side of a histogram cell, as a share of how far the image's colours spread."""
SMALLEST_CELL = 1.0
"""In units of Lab, hardly a visible difference."""
NARROWEST = 1.5
"""The least that a histogram is smoothed by, in the same units."""
MOST_CELLS = 60_000
"""The cells are made larger where the colours need more of them than this."""
UNSEEN = 2e-7
"""Density, per cubed unit of Lab, of colours that were never seen: about a fifth of an even spread over all colours."""


class ColorHistogram:
    """The colours of an image sorted into cells of Lab, and how dense any share of the pixels is at each of them.

    The cells and the widths of the smoothing follow the spread of the image's own colours, so that what counts as a
    like colour is finer in an image of few colours than in one of many.

    Parameters
    ----------
    lab : float32 (H, W, 3)

    Attributes
    ----------
    cells : int32 (H, W)
        The cell of each pixel's colour, for looking densities up.

    Notes
    -----
    Cost: linear in pixels, once; about a millisecond for each density, whatever the number of pixels.

    A kernel density estimate; the bandwidth in proportion to the spread as in B. W. Silverman, *Density Estimation for
    Statistics and Data Analysis*, 1986.
    """

    def __init__(self, lab: Floats) -> None:
        points = lab.reshape(-1, 3)
        low, high = points.min(axis=0), points.max(axis=0)
        _, deviations = cv2.meanStdDev(lab)
        self._spread = math.sqrt(float((deviations**2).mean()))
        self._side = max(SMALLEST_CELL, CELL * self._spread)
        while np.prod((high - low) / self._side + 1) > MOST_CELLS:
            self._side *= 1.2
        reach = np.floor((high - low) / np.float32(self._side)).astype(np.int64) + 1
        self._shape = (int(reach[0]), int(reach[1]), int(reach[2]))
        places = ((lab - low) / np.float32(self._side)).astype(np.int32)
        rows = places[..., 0] * np.int32(self._shape[1]) + places[..., 1]
        self.cells: npt.NDArray[np.int32] = rows * np.int32(self._shape[2]) + places[..., 2]

    def density(self, shares: npt.NDArray[Any], widths: tuple[float, ...]) -> Floats:
        """Measure how dense a part of the image is at each colour.

        Parameters
        ----------
        shares : bool or float (H, W)
            How much of each pixel belongs to the part, 0 to 1.
        widths : tuple of float
            Standard deviations of the Gaussians that smooth the histogram, as shares of the spread; densities are
            averaged over them. A narrow one tells colours apart, a wide one knows what lies between those it has seen.

        Returns
        -------
        float32 (n,)
            For each cell, per cubed unit of Lab; sums to 1 over all of Lab, before `UNSEEN` is added.
        """
        counts = np.bincount(self.cells.reshape(-1), shares.reshape(-1), math.prod(self._shape))
        volume = np.float32(1 / (max(float(counts.sum()), 1e-6) * self._side**3 * len(widths)))
        block = counts.astype(np.float32).reshape(self._shape)
        total = np.zeros(self._shape, np.float32)
        for width in widths:
            # the sides of a cell blur as well, by the root of a twelfth
            sigma = max(width * self._spread, NARROWEST) / self._side
            total += _smooth(block, _gaussian(math.sqrt(max(0.25, sigma**2 - 1 / 12))))
        return np.asarray(total.reshape(-1) * volume + np.float32(UNSEEN), np.float32)


def _gaussian(sigma: float) -> Floats:
    reach = max(1, math.ceil(3 * sigma))
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(bell / bell.sum(), np.float32)


def _smooth(block: Floats, kernel: Floats) -> Floats:
    """Smooth along each of the three sides in turn; each turn brings the next one to the front."""
    for _ in range(3):
        first = block.shape[0]
        if first > 1:
            flat = np.ascontiguousarray(block.reshape(first, -1))
            blurred = cv2.sepFilter2D(flat, -1, np.ones(1, np.float32), kernel, borderType=cv2.BORDER_CONSTANT)
            block = np.asarray(blurred, np.float32).reshape(block.shape)
        else:
            # nothing lies beside the only layer, and some of it is smoothed away, as in the other cases
            block = block * kernel.max()
        block = np.ascontiguousarray(block.transpose(1, 2, 0))
    return block
