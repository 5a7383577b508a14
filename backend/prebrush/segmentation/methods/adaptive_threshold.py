"""Adaptive thresholding: each pixel is compared with what is around it, so that light may be uneven."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import GrayImage, LabelMap, Prompt, RGBImage
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.methods.threshold import channel_knob, cut_channel, polarity_knob

HALF_RANGE = 127.5
"""Largest standard deviation of 8-bit levels, which Sauvola's rule measures the local one by."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    algorithm: str = param(
        "gaussian", choices=("gaussian", "mean", "sauvola", "niblack"), help="How the local threshold is made."
    )
    block_size: int = param(
        101, low=3, high=2001, unit="px", help="Side of the window around each pixel; even numbers are raised by one."
    )
    offset: float = param(
        10.0, low=-255, high=255, help="Grey levels by which objects differ from the local threshold at least."
    )
    k: float = param(0.2, low=-2, high=2, help="Weight of the local contrast in sauvola and niblack.")
    channel: str = channel_knob()
    polarity: str = polarity_knob()
    sigma: float = param(0.0, low=0, high=50, unit="px", help="Blur before the cut; 0 is none.")


def local_threshold(gray: GrayImage, algorithm: str, block_size: int, k: float) -> npt.NDArray[np.float64]:
    """Find a threshold for each pixel, made for dark objects, as scikit-image does.

    Parameters
    ----------
    gray : uint8 (H, W)
    algorithm : str
        ``mean`` of the window m; ``gaussian``, weighted by distance, the window being six standard deviations wide;
        ``niblack``, m - k s, where s is the standard deviation in the window; ``sauvola``, m (1 + k (s / 127.5 - 1)).
    block_size : int
        Odd.
    k : float

    Returns
    -------
    float64 (H, W)
    """
    if algorithm == "gaussian":
        sigma = (block_size - 1) / 6
        width = 2 * int(4 * sigma + 0.5) + 1
        smooth = cv2.GaussianBlur(gray.astype(np.float32), (width, width), sigma, borderType=cv2.BORDER_REFLECT)
        return np.asarray(smooth, np.float64)
    size, pixels = (block_size, block_size), block_size**2
    # sums, because they are exact: in an even area the mean is the level itself
    if algorithm == "mean":
        total = cv2.boxFilter(gray, cv2.CV_64F, size, normalize=False, borderType=cv2.BORDER_REFLECT)
        return np.asarray(total / pixels, np.float64)
    total = cv2.boxFilter(gray, cv2.CV_64F, size, normalize=False, borderType=cv2.BORDER_REFLECT_101)
    squares = cv2.sqrBoxFilter(gray, cv2.CV_64F, size, normalize=False, borderType=cv2.BORDER_REFLECT_101)
    mean = np.asarray(total / pixels, np.float64)
    spread = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    if algorithm == "niblack":
        return np.asarray(mean - k * spread, np.float64)
    return np.asarray(mean * (1 + k * (spread / HALF_RANGE - 1)), np.float64)


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Cut each pixel off at a threshold made from the window around it.

    Bright objects are found as dark ones of the inverted channel, so that offset and k mean the same for both. Channel
    and polarity are chosen as `threshold` does.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        ``block_size`` should be wider than the objects: what is wider loses its middle. ``offset`` should be above the
        noise. For written pages, ``sauvola`` with a block of 15 to 51 and no offset.
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        1 objects, 0 background; all 0 where the chosen channel is flat.

    Notes
    -----
    Cost: linear in pixels, some 20 ms a megapixel, whatever the block; with ``gaussian`` it grows with the block's
    side. Fails on objects wider than the block, and without an offset makes objects of the noise on an empty ground.

    Sources: W. Niblack, An Introduction to Digital Image Processing, 1986; J. Sauvola, M. Pietikäinen, Pattern
    Recognition 33(2), 2000, doi:10.1016/S0031-3203(99)00055-2

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(0, 200, 5, dtype=np.uint8)[None, :, None].repeat(9, axis=0).repeat(3, axis=2)
    >>> image[4, [5, 30]] += 40
    >>> np.argwhere(segment(image, Params(block_size=9, polarity="bright"), Prompt())).tolist()
    [[4, 5], [4, 30]]
    """
    del prompt
    gray, found = cut_channel(image, params.channel, "otsu", params.polarity, params.sigma)
    if gray.min() == gray.max():
        return np.zeros(gray.shape, np.int32)
    dark = gray if found.polarity == "dark" else 255 - gray
    threshold = local_threshold(dark, params.algorithm, params.block_size | 1, params.k) - params.offset
    return (dark < threshold).astype(np.int32)


METHOD = Method(segment, Params, version=1, class_name="foreground", uses=("threshold",))
