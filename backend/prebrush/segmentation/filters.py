"""Filters that several methods share."""

import math
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

T = TypeVar("T", np.uint8, np.float32)


def blur(image: npt.NDArray[T], sigma: float) -> npt.NDArray[T]:
    """Blur with a Gaussian, cut off at four standard deviations, the border pixels repeated, as scikit-image does.

    Parameters
    ----------
    image : uint8 or float32, (H, W) or (H, W, C)
    sigma : float
        Standard deviation in pixels; 0 is no blur.

    Returns
    -------
    The same dtype and shape; the image itself where nothing is to be done.
    """
    # the middle of such a kernel is over 0.999: nothing would change
    if sigma < 0.25:
        return image
    size = 2 * max(1, math.floor(4 * sigma + 0.5)) + 1
    return np.asarray(cv2.GaussianBlur(image, (size, size), sigma, borderType=cv2.BORDER_REPLICATE), image.dtype)


def squared_gradient(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Measure the slope from pixel to pixel: its squared length over all channels, by Sobel's filter.

    Parameters
    ----------
    image : float32 (H, W, 3)

    Returns
    -------
    float32 (H, W)
    """
    squared = np.zeros(image.shape[:2], np.float32)
    for way in ((1, 0), (0, 1)):
        # the filter's weights sum to 8
        slope = cv2.Sobel(image, cv2.CV_32F, *way, scale=0.125, borderType=cv2.BORDER_REPLICATE)
        squares = np.asarray(slope**2, np.float32)
        # ten times as fast as a sum over so short an axis
        squared += squares[..., 0] + squares[..., 1] + squares[..., 2]
    return squared
