"""Rules that read one threshold off a histogram of 256 values.

All of them give what scikit-image gives for an 8-bit image, to the last bit: the larger class is ``value > threshold``.
A histogram with a single value gives that value.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import GrayImage
from prebrush.segmentation.kernels.histogram_modes import two_modes

Counts = npt.NDArray[np.int64]
Rule = Callable[[Counts, npt.NDArray[np.int64]], float]


def otsu(counts: Counts, levels: npt.NDArray[np.int64]) -> float:
    """Separate two classes with the largest variance between them.

    Source: N. Otsu, IEEE Trans. SMC 9(1), 1979, doi:10.1109/TSMC.1979.4310076
    """
    return float(levels[int(np.argmax(variance_between(counts, levels)))])


def variance_between(counts: Counts, levels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Variance between the classes for each possible cut, times the square of the number of pixels.

    Parameters
    ----------
    counts : int64 (n,)
        With pixels in the first and in the last place.
    levels : int64 (n,)

    Returns
    -------
    float64 (n - 1,)
    """
    weights = counts.astype(np.float32)
    moments = weights * levels
    below, above = np.cumsum(weights), np.cumsum(weights[::-1])[::-1]
    mean_below = np.cumsum(moments) / below
    mean_above = (np.cumsum(moments[::-1]) / above[::-1])[::-1]
    gap = mean_below[:-1] - mean_above[1:]
    between: npt.NDArray[np.float64] = below[:-1] * above[1:] * gap**2
    return between


def li(counts: Counts, levels: npt.NDArray[np.int64]) -> float:
    """Minimise the cross entropy between image and cut image, from the mean downhill.

    Source: C. H. Li, P. K. S. Tam, Pattern Recognition Letters 19(8), 1998, doi:10.1016/S0167-8655(98)00057-9
    """
    weights = counts.astype(np.float64)
    values = (levels - levels[0]).astype(np.float64)
    threshold, before = float(weights @ values / weights.sum()), -1.0
    while abs(threshold - before) > 0.5:
        before = threshold
        above = values > threshold
        mean_above = (weights[above] @ values[above]) / weights[above].sum()
        mean_below = (weights[~above] @ values[~above]) / weights[~above].sum()
        if mean_below == 0:
            break
        threshold = float((mean_below - mean_above) / (np.log(mean_below) - np.log(mean_above)))
    return threshold + float(levels[0])


def triangle(counts: Counts, levels: npt.NDArray[np.int64]) -> float:
    """Take the level farthest from the line between the peak and the far end of the longer tail.

    Source: G. W. Zack, W. E. Rogers, S. A. Latt, J. Histochem. Cytochem. 25(7), 1977, doi:10.1177/25.7.70454
    """
    peak = int(np.argmax(counts))
    last = counts.size - 1
    flip = peak < last - peak
    tail = counts[::-1] if flip else counts
    width = last - peak if flip else peak
    height = float(tail[width])
    at = np.arange(width)
    length = float(np.hypot(height, width))
    distance = height / length * at - width / length * tail[:width]
    found = int(np.argmax(distance))
    return float(levels[last - found if flip else found])


def yen(counts: Counts, levels: npt.NDArray[np.int64]) -> float:
    """Maximise the entropic correlation of the two classes.

    Source: J.-C. Yen, F.-J. Chang, S. Chang, IEEE Trans. Image Processing 4(3), 1995, doi:10.1109/83.366472
    """
    share = counts.astype(np.float32) / counts.sum()
    below = np.cumsum(share)[:-1]
    squares_below = np.cumsum(share**2)[:-1]
    squares_above = np.cumsum(share[::-1] ** 2)[::-1][1:]
    # where rounding leaves no share above the cut the logarithm is minus infinity, which is never the maximum
    with np.errstate(divide="ignore", invalid="ignore"):
        criterion = np.log((squares_below * squares_above) ** -1 * (below * (1.0 - below)) ** 2)
    return float(levels[int(np.argmax(criterion))])


def isodata(counts: Counts, levels: npt.NDArray[np.int64]) -> float:
    """Take the lowest level midway between the means of the two classes it makes.

    Source: T. W. Ridler, S. Calvard, IEEE Trans. SMC 8(8), 1978, doi:10.1109/TSMC.1978.4310039
    """
    weights = counts.astype(np.float32)
    below = np.cumsum(weights)
    above = below[-1] - below
    moments = np.cumsum(weights * levels)
    midway = (moments[:-1] / below[:-1] + (moments[-1] - moments[:-1]) / above[:-1]) / 2
    distance = midway - levels[:-1]
    return float(levels[:-1][(distance >= 0) & (distance < 1)][0])


def mean(counts: Counts, levels: npt.NDArray[np.int64]) -> float:
    """Take the mean.

    Source: C. A. Glasbey, CVGIP 55(6), 1993, doi:10.1006/cgip.1993.1040
    """
    return float(counts @ levels) / float(counts.sum())


def mean_level(gray: GrayImage) -> float:
    """Take the mean of a channel, uint8 (H, W): the one threshold that needs no histogram."""
    # sums of bytes are exact in float64, so this is `mean` to the last bit
    return float(np.ravel(cv2.sumElems(gray))[0]) / gray.size


def minimum(counts: Counts, levels: npt.NDArray[np.int64]) -> float:
    """Smooth the histogram until two peaks are left and take the lowest level between them.

    Where the histogram never has two peaks (it goes straight to one, or 10,000 rounds do not suffice) the rule says
    nothing; Otsu's threshold is taken then.

    Source: J. M. S. Prewitt, M. L. Mendelsohn, Ann. N.Y. Acad. Sci. 128, 1966, doi:10.1111/j.1749-6632.1965.tb11715.x
    """
    first, second, smooth = two_modes(counts)
    if second < 0:
        return otsu(counts, levels)
    return float(levels[first + int(np.argmin(smooth[first : second + 1]))])


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "otsu": otsu,
        "li": li,
        "triangle": triangle,
        "yen": yen,
        "isodata": isodata,
        "mean": mean,
        "minimum": minimum,
    }
)
"""Every rule by name: counts and levels (without empty ends, at least two levels) to a threshold."""


def find_threshold(counts: Counts, rule: str) -> float:
    """Apply a rule to a histogram.

    Parameters
    ----------
    counts : int64 (256,)
        Not all 0.
    rule : str
        A key of `RULES`.

    Returns
    -------
    float
        In [0, 255]; pixels above it are the bright class.
    """
    occupied = np.flatnonzero(counts)
    low, high = int(occupied[0]), int(occupied[-1])
    if low == high:
        return float(low)
    return RULES[rule](counts[low : high + 1], np.arange(low, high + 1))
