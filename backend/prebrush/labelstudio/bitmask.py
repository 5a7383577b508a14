"""The masks of ``<BitmaskLabels>``: a PNG in a data URL, transparent outside, to and from bool masks."""

import base64
import io

import numpy as np
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngImageFile

from prebrush.datatypes import Mask
from prebrush.errors import InvalidBody
from prebrush.labelstudio.rle import ALPHA_THRESHOLD

_PREFIX = "data:image/png;base64,"


def encode_data_url(mask: Mask) -> str:
    """Write a mask with one bit a pixel: white where it is set, else transparent.

    Examples
    --------
    >>> mask = np.array([[True, False]])
    >>> decode_data_url(encode_data_url(mask), height=1, width=2)
    array([[ True, False]])
    """
    buffer = io.BytesIO()
    PillowImage.fromarray(mask).save(buffer, "PNG", transparency=0)
    return _PREFIX + base64.b64encode(buffer.getbuffer()).decode()


def decode_data_url(url: str, height: int, width: int) -> Mask:
    """Read a mask: what is half transparent or more is outside.

    Parameters
    ----------
    height, width : int
        Of the displayed image.

    Raises
    ------
    InvalidBody
        It is no PNG in a data URL, or has another size. The size is looked at before any pixel is decoded.
    """
    if not isinstance(url, str) or not url.startswith(_PREFIX):
        raise InvalidBody(f"a bitmask is a PNG in a data URL, {_PREFIX}...")
    try:
        # Pillow reads the header alone here
        png = PngImageFile(io.BytesIO(base64.b64decode(url[len(_PREFIX) :])))
        alpha = png.convert("RGBA").getchannel("A") if png.size == (width, height) else None
    except Exception as error:
        raise InvalidBody(f"a bitmask cannot be decoded: {type(error).__name__}") from error
    if alpha is None:
        raise InvalidBody(f"a bitmask of {png.width}x{png.height} pixels on an image of {width}x{height}")
    return np.asarray(alpha) >= ALPHA_THRESHOLD
