"""Single channels and colour spaces of an 8-bit image."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import GrayImage, RGBImage

Channel = Callable[[RGBImage], GrayImage]

STRIP_PIXELS = 4096
"""Pixels that are compared at once where the first ones mostly decide."""


def to_gray(image: RGBImage) -> GrayImage:
    """Weigh red, green and blue as the eye does (ITU-R 601).

    Parameters
    ----------
    image : uint8 (H, W, 3)

    Returns
    -------
    uint8 (H, W)
    """
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def is_gray(image: RGBImage) -> bool:
    """Tell whether red, green and blue are equal in every pixel of an image, uint8 (H, W, 3)."""
    return all(bool((part[:, :, :1] == part[:, :, 1:]).all()) for part in _strips(image))


def is_flat(image: RGBImage) -> bool:
    """Tell whether all pixels of an image, uint8 (H, W, 3), have the same colour."""
    return all(bool((part == image[0, 0]).all()) for part in _strips(image))


def _strips(image: RGBImage) -> Iterator[RGBImage]:
    """Cut the image into strips of rows: for an ordinary photo the first strip already decides."""
    rows = max(1, STRIP_PIXELS // image.shape[1])
    return (image[top : top + rows] for top in range(0, image.shape[0], rows))


def _plane(code: int, number: int) -> Channel:
    def take(image: RGBImage) -> GrayImage:
        return np.ascontiguousarray(cv2.cvtColor(image, code)[:, :, number])

    return take


def _primary(number: int) -> Channel:
    def take(image: RGBImage) -> GrayImage:
        return np.ascontiguousarray(image[:, :, number])

    return take


DARKEST_SUM = 96.0
"""Sum of red, green and blue below which shares of the sum are little but noise, and are damped."""


LEAST_GREEN = -0.02
"""The index that is 0. Soil lies around and below that of gray: cut off there, the middle between soil and plants, and
with it the outline, would move into the leaves. Much below, noise and the reddest soil move it the other way."""


def to_excess_green(image: RGBImage) -> GrayImage:
    """Measure how green a pixel is, whatever its brightness: 2 g - r - b of the shares of the colours in their sum.

    Source: D. M. Woebbecke et al., Transactions of the ASAE 38(1), 1995, doi:10.13031/2013.27838

    Parameters
    ----------
    image : uint8 (H, W, 3)

    Returns
    -------
    uint8 (H, W)
        255 where the index is 1 or more, 5 where it is 0 (gray), 0 from -0.02 down.
    """
    green = np.asarray(cv2.transform(image.astype(np.float32), np.array([[-1.0, 2.0, -1.0]])), np.float32)
    total = np.asarray(cv2.transform(image.astype(np.float32), np.ones((1, 3))), np.float32)
    index = green / np.maximum(total, np.float32(DARKEST_SUM))
    share = (index - np.float32(LEAST_GREEN)) / np.float32(1 - LEAST_GREEN)
    return np.asarray(np.clip(share, 0, 1) * np.float32(255) + np.float32(0.5), np.uint8)


STRONGEST_STAIN = 0.2
"""The amount of hematoxylin, as scikit-image's ``rgb2hed`` counts it, that is 255; dark nuclei have about 0.1."""
_HEMATOXYLIN = np.linalg.inv(np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]]))[:, 0]
_DENSITY = np.log(np.maximum(np.arange(256) / 255, 1e-6)) / np.log(1e-6)
_STAIN_TABLES = (_DENSITY * _HEMATOXYLIN[:, None] * 255 / STRONGEST_STAIN).astype(np.float32)


def to_hematoxylin(image: RGBImage) -> GrayImage:
    """Measure the blue stain of nuclei, apart from eosin and DAB, in a photo of stained tissue.

    Source: A. C. Ruifrok, D. A. Johnston, Anal. Quant. Cytol. Histol. 23(4), 2001.

    Parameters
    ----------
    image : uint8 (H, W, 3)

    Returns
    -------
    uint8 (H, W)
        0 none, 255 from `STRONGEST_STAIN` up.
    """
    stain = _STAIN_TABLES[0][image[:, :, 0]] + _STAIN_TABLES[1][image[:, :, 1]] + _STAIN_TABLES[2][image[:, :, 2]]
    return np.asarray(np.clip(stain, 0, 255) + np.float32(0.5), np.uint8)


CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {
        "gray": to_gray,
        "red": _primary(0),
        "green": _primary(1),
        "blue": _primary(2),
        # the full-range code: hue 0..255 for 0..360 degrees
        "hue": _plane(cv2.COLOR_RGB2HSV_FULL, 0),
        "saturation": _plane(cv2.COLOR_RGB2HSV_FULL, 1),
        "value": _plane(cv2.COLOR_RGB2HSV_FULL, 2),
        "lightness": _plane(cv2.COLOR_RGB2LAB, 0),
        "a": _plane(cv2.COLOR_RGB2LAB, 1),
        "b": _plane(cv2.COLOR_RGB2LAB, 2),
        "excess_green": to_excess_green,
        "hematoxylin": to_hematoxylin,
    }
)
"""Every channel by name: uint8 (H, W, 3) to uint8 (H, W). Hue runs once around from 0 to 255; a and b are 128 at gray.

A new channel is one entry here.
"""
INDICES = ("excess_green", "hematoxylin")
"""Channels that measure a thing, so that objects are where they are high."""


def to_lab(colors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Convert to CIE Lab: float32 (H, W, 3) RGB in [0, 1] to lightness 0..100 and a, b in about -100..100."""
    return np.asarray(cv2.cvtColor(colors, cv2.COLOR_RGB2LAB), np.float32)


def _to_scaled_rgb(colors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # black to white is the square root of three sides long
    return np.asarray(colors * np.float32(100 / 3**0.5), np.float32)


def _to_hsv_cone(colors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Hue and saturation as a point in the plane, so that reds on both sides of 0 degrees are neighbours."""
    hsv = np.asarray(cv2.cvtColor(colors, cv2.COLOR_RGB2HSV), np.float32)
    angle = np.deg2rad(hsv[..., 0])
    # chroma (saturation times value) instead of saturation: that of near-black is noise
    chroma = hsv[..., 1] * hsv[..., 2]
    cone = np.stack((chroma * np.cos(angle), chroma * np.sin(angle), hsv[..., 2]), axis=-1)
    return np.asarray(cone * np.float32(100), np.float32)


COLOR_SPACES: Mapping[str, Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]] = MappingProxyType(
    {"lab": to_lab, "rgb": _to_scaled_rgb, "hsv": _to_hsv_cone}
)
"""Where colour distances are measured: float32 (H, W, 3) RGB in [0, 1] to three coordinates; black to white is 100."""
