"""What a region of the editor covers: brush strokes, bitmasks, rectangles, ellipses, polygons and paths, to pixels.

A region's value holds percent of the image; what comes out of here are pixels. The way back is in ``result.py``.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask
from prebrush.errors import InvalidBody, InvalidPrompt
from prebrush.labelstudio import bitmask, rle

Points: TypeAlias = npt.NDArray[np.float64]
"""(n, 2), x and y in pixels of the image."""

MAX_CORNERS = 10_000
"""Of one polygon."""

PAINTED = frozenset({"rle", "imageDataURL"})
"""Keys of a value that holds pixels, as brush strokes and bitmasks do."""
OUTLINED = frozenset({"points", "vertices", "radiusX", "height"})
"""Keys of a value that holds a shape with corners."""

_ELLIPSE_CORNERS = 64
_SUBPIXEL_BITS = 4


def read_painted(value: Mapping[str, Any], where: str, height: int, width: int) -> Mask:
    """Read a brush stroke or a bitmask, of an image of this size.

    Parameters
    ----------
    value : mapping
        Of a region, with a key of `PAINTED`.
    where : str
        What the region is called in messages.

    Raises
    ------
    InvalidPrompt
        It has another size, or cannot be read.
    """
    try:
        if "rle" in value:
            return rle.decode_mask(value["rle"], height, width)
        return bitmask.decode_data_url(value["imageDataURL"], height, width)
    except InvalidBody as error:
        raise InvalidPrompt(f"{where}: {error}") from error


def read_corners(value: Mapping[str, Any], where: str, height: int, width: int) -> Points:
    """Read a shape as a polygon.

    Parameters
    ----------
    value : mapping
        Of a region, with a key of `OUTLINED`.
    where : str
        What the region is called in messages.

    Raises
    ------
    InvalidPrompt
        A number in it is none, or it has too few corners or too many.
    """
    name = next((name for name in ("points", "vertices") if name in value), "")
    if name:
        corners = value[name]
        if not isinstance(corners, list) or not 3 <= len(corners) <= MAX_CORNERS:
            raise InvalidPrompt(f"{where}.value.{name}: expected a list of 3 to {MAX_CORNERS} points")
        places = (f"{where}.value.{name}[{place}]" for place in range(len(corners)))
        return np.array([read_point(*pair, height, width) for pair in zip(corners, places, strict=True)])
    if "radiusX" in value:
        around = np.linspace(0, 2 * math.pi, _ELLIPSE_CORNERS, endpoint=False)
        along = np.cos(around) * read_number(value, "radiusX", where)
        down = np.sin(around) * read_number(value, "radiusY", where)
    else:
        along = np.array([0, 1, 1, 0]) * read_number(value, "width", where)
        down = np.array([0, 0, 1, 1]) * read_number(value, "height", where)
    along, down = along * width / 100, down * height / 100
    x, y = read_point(value, where, height, width)
    # Clockwise on the screen, whose y points down, about x, y: the middle of an ellipse, a corner of a rectangle.
    angle = math.radians(read_number(value, "rotation", where, default=0.0))
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.stack([x + along * cosine - down * sine, y + along * sine + down * cosine], axis=1)


def read_mask(value: Mapping[str, Any], where: str, height: int, width: int) -> Mask:
    """Read what a region covers, whatever it was drawn with.

    Raises
    ------
    InvalidPrompt
        It cannot be read, or it covers nothing by its kind.
    """
    if not PAINTED.isdisjoint(value):
        return read_painted(value, where, height, width)
    if not OUTLINED.isdisjoint(value):
        return fill(read_corners(value, where, height, width), height, width)
    raise InvalidPrompt(f"{where}: covers nothing")


def read_point(value: Any, where: str, height: int, width: int) -> tuple[float, float]:
    """Read x and y, of an object or a pair, in pixels.

    Raises
    ------
    InvalidPrompt
        One of them is no number.
    """
    if isinstance(value, list) and len(value) == 2:
        value = {"x": value[0], "y": value[1]}
    if not isinstance(value, Mapping):
        raise InvalidPrompt(f"{where}: expected x and y, got {type(value).__name__}")
    return read_number(value, "x", where) * width / 100, read_number(value, "y", where) * height / 100


def read_number(value: Mapping[str, Any], name: str, where: str, default: float | None = None) -> float:
    """Read a number of a region's value.

    Raises
    ------
    InvalidPrompt
        It is none, or so large that it can be no percentage.
    """
    number = value.get(name, default)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise InvalidPrompt(f"{where}.value.{name}: expected a number, got {type(number).__name__}")
    # Far beyond any image; also keeps the arithmetic behind it finite.
    if not abs(number) <= 1e6:
        raise InvalidPrompt(f"{where}.value.{name}: {number!r:.20} is not a percentage")
    return float(number)


def fill(corners: Points, height: int, width: int) -> Mask:
    """Tell which pixels a polygon holds or its border touches; its corners count from the edge of the first pixel."""
    # Far outside, where the fixed-point numbers of the drawing routine would overflow, a corner may be moved along.
    near = np.clip(corners - 0.5, -(2.0**20), 2.0**20)
    fixed = np.round(near * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [fixed], 1, shift=_SUBPIXEL_BITS)
    return mask.view(np.bool_)
