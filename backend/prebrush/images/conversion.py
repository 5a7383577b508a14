"""Pillow's images, of whatever mode, to arrays of RGB. Not for reading files: that is in `decoding`."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as PilImage
from PIL.TiffImagePlugin import TiffImageFile

from prebrush.datatypes import RGBImage

WHITE = (255, 255, 255)
"""Behind transparent pixels: Label Studio's page is nearly this."""

_MOST_OF_12_BITS = 4095
_BAND_ROWS = 64


def to_rgb_array(image: PilImage.Image) -> RGBImage:
    """Convert an image in any of Pillow's modes to uint8 (H, W, 3), RGB, without clipping.

    Transparency lies on white; numbers of more than 8 bits are scaled as `decode_image` says.

    Works in bands of rows. A band stays in the processor's cache, which makes 12 megapixels 25 ms faster, and the
    arrays in between are as small as a band: for a whole image of floats, they would be eight times the result.
    """
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    if image.mode == "F" or image.mode.startswith("I"):
        scale = _Scale.of(image)
        for rows, band in _bands(image):
            pixels[rows] = scale.to_8_bit(np.asarray(band))[..., None]
    else:
        for rows, band in _bands(image):
            pixels[rows] = np.asarray(_to_rgb(band))
    return pixels


def _bands(image: PilImage.Image) -> Iterator[tuple[slice, PilImage.Image]]:
    for top in range(0, image.height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _to_rgb(image: PilImage.Image) -> PilImage.Image:
    """Bring any of Pillow's modes of 8 bits to RGB."""
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        page = PilImage.new("RGB", image.size, WHITE)
        page.paste(layers, mask=layers.getchannel("A"))
        return page
    return image if image.mode == "RGB" else image.convert("RGB")


@dataclass(frozen=True, slots=True)
class _Scale:
    """How the numbers of a grey image become 8 bits.

    Attributes
    ----------
    low, high : float
        What becomes black and white.
    is_whole : bool
        They are integers of up to 16 bits, scaled without rounding in between.
    """

    low: float
    high: float
    is_whole: bool

    @classmethod
    def of(cls, image: PilImage.Image) -> "_Scale":
        """Choose by the least and the largest finite number, and by what they are."""
        low, high, kind = math.inf, -math.inf, ""
        for _, band in _bands(image):
            values = np.asarray(band)
            kind = values.dtype.kind
            finite = values[np.isfinite(values)] if kind == "f" else values
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        if kind in "ui" and low >= 0 and high <= np.iinfo(np.uint16).max:
            is_camera = isinstance(image, TiffImageFile) and high <= _MOST_OF_12_BITS
            return cls(0, _MOST_OF_12_BITS if is_camera else np.iinfo(np.uint16).max, is_whole=True)
        if low > high:  # nothing is finite
            return cls(0, 1, is_whole=False)
        return cls(0, 1, is_whole=False) if kind == "f" and low >= 0 and high <= 1 else cls(low, high, is_whole=False)

    def to_8_bit(self, gray: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
        """Scale (H, W) of any number type to uint8."""
        if self.is_whole:
            most = int(self.high)
            return ((gray.astype(np.uint32) * 255 + most // 2) // most).astype(np.uint8)
        values = np.nan_to_num(gray.astype(np.float64), nan=self.low, posinf=self.high, neginf=self.low)
        return np.rint((values - self.low) * (255 / ((self.high - self.low) or 1.0))).astype(np.uint8)
