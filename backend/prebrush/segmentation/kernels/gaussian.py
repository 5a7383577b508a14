"""Gaussian blur of colours with sums that are the same from either side."""

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import RGBImage
from prebrush.segmentation.kernels.compiled import as_input, compiled, inlined


@inlined
def _reflected(at: int, size: int) -> int:
    """Mirror an index into the image, as often as it takes; the border pixel itself is repeated."""
    at %= 2 * size
    return at if at < size else 2 * size - 1 - at


@compiled
def _blur(image: npt.NDArray[np.uint8], weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Blur down the columns into one padded line at a time, then along it. ``weights`` go from the middle outwards."""
    height, width, _ = image.shape
    radius, size = weights.size - 1, 3 * width
    flat = image.reshape(height, size)
    blurred = np.empty((height, width, 3), np.float32)
    line = np.empty(3 * (width + 2 * radius), np.float32)
    middle = line[3 * radius : 3 * radius + size]
    for row in range(height):
        here = flat[row]
        for at in range(size):
            middle[at] = weights[0] * np.float32(here[at])
        for away in range(1, radius + 1):
            above, below = flat[_reflected(row - away, height)], flat[_reflected(row + away, height)]
            weight = weights[away]
            for at in range(size):
                middle[at] += weight * np.float32(np.int32(above[at]) + np.int32(below[at]))
        for away in range(1, radius + 1):
            before, after = _reflected(-away, width), _reflected(width - 1 + away, width)
            for part in range(3):
                line[3 * (radius - away) + part] = middle[3 * before + part]
                line[3 * (radius + width - 1 + away) + part] = middle[3 * after + part]
        out = blurred[row].reshape(size)
        for at in range(size):
            out[at] = weights[0] * middle[at]
        for away in range(1, radius + 1):
            left = line[3 * (radius - away) : 3 * (radius - away) + size]
            right = line[3 * (radius + away) : 3 * (radius + away) + size]
            weight = weights[away]
            for at in range(size):
                out[at] += weight * (left[at] + right[at])
    return blurred


def blur_colors(image: RGBImage, sigma: float) -> npt.NDArray[np.float32]:
    """Blur with a Gaussian, cut off at four standard deviations, the image mirrored at its borders.

    Two pixels whose surroundings are mirror images get the same colour to the last bit: what sorts by colour distance,
    as `merge_along_edges` does, is not led by rounding.

    Parameters
    ----------
    image : uint8 (H, W, 3)
    sigma : float
        Standard deviation in pixels; 0 is no blur.

    Returns
    -------
    float32 (H, W, 3)
        In [0, 1].
    """
    steps = np.arange(int(4 * sigma + 0.5) + 1)
    weights = np.exp(-0.5 * (steps / max(sigma, 1e-6)) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    blurred: npt.NDArray[np.float32] = _blur(as_input(image), as_input(weights.astype(np.float32)))
    blurred *= np.float32(1 / 255)
    return blurred


def warm() -> None:
    """Compile on a tiny input."""
    blur_colors(np.zeros((2, 3, 3), np.uint8), 1.0)
