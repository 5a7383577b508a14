"""Smooth a histogram until two peaks are left."""

import numpy as np
import numpy.typing as npt

from prebrush.segmentation.kernels.compiled import as_input, compiled

MOST_ROUNDS = 10_000


@compiled
def _peaks(smooth: npt.NDArray[np.float32]) -> tuple[int, int, int]:
    """Count the peaks and find the first two: a peak is where a rise ends and a fall begins."""
    count = 0
    first = -1
    second = -1
    rising = True
    for at in range(smooth.size - 1):
        if rising and smooth[at + 1] < smooth[at]:
            rising = False
            count += 1
            if count == 1:
                first = at
            elif count == 2:
                second = at
        elif not rising and smooth[at + 1] > smooth[at]:
            rising = True
    return count, first, second


@compiled
def _two_modes(counts: npt.NDArray[np.int64]) -> tuple[int, int, npt.NDArray[np.float32]]:
    size = counts.size
    smooth = counts.astype(np.float32)
    before = np.empty(size, np.float64)
    for turn in range(MOST_ROUNDS):
        before[:] = smooth
        # a running sum in double precision with mirrored ends: rounds exactly as scikit-image's (SciPy's) filter does
        total = before[0] + before[0] + before[min(1, size - 1)]
        smooth[0] = total / 3.0
        for at in range(1, size):
            total += before[min(at + 1, size - 1)] - before[max(at - 2, 0)]
            smooth[at] = total / 3.0
        count, first, second = _peaks(smooth)
        if count < 3:
            if count == 2 and turn < MOST_ROUNDS - 1:
                return first, second, smooth
            break
    return -1, -1, smooth


def two_modes(counts: npt.NDArray[np.int64]) -> tuple[int, int, npt.NDArray[np.float32]]:
    """Smooth with a window of three until fewer than three peaks are left.

    Parameters
    ----------
    counts : int64 (n,)

    Returns
    -------
    first, second : int
        Places of the two peaks; both -1 if there are not exactly two, or not within 10,000 rounds.
    smooth : float32 (n,)
        The smoothed histogram.
    """
    first, second, smooth = _two_modes(as_input(counts))
    return int(first), int(second), smooth


def warm() -> None:
    """Compile on a tiny input."""
    two_modes(np.array([1, 5, 1, 5, 1]))
