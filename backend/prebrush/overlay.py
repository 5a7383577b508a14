"""Pictures of segments for people: a colour per label or segment, a thin outline, a legend. Not for masks."""

import base64
import io
import math
from collections.abc import Sequence
from typing import Literal, overload

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from prebrush.datatypes import LabelMap, RGBImage

PALETTE = (
    (230, 75, 53), (0, 145, 213), (58, 170, 53), (250, 176, 5), (150, 90, 200), (0, 184, 169), (240, 98, 168),
    (140, 100, 60), (98, 120, 240), (168, 205, 60), (255, 127, 42), (90, 200, 245), (196, 40, 110), (60, 130, 100),
)  # fmt: skip
"""Colours that stay apart on a photo, on white and on black; the first five also for most colour-blind people."""
FILL = 0.4
"""Opacity of the fill."""
LEGEND_LINES = 12
"""More names than this are counted instead of listed."""


def draw_overlay(
    pixels: RGBImage,
    label_map: LabelMap,
    names: Sequence[str | None] = (),
    colors: Sequence[tuple[int, int, int]] = (),
) -> RGBImage:
    """Draw segments over their image.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        RGB.
    label_map : int32 (H, W)
        Numbers 0..n; 0 is left as it is.
    names : sequence of str or None
        The label of each segment 1..n: equal names get one colour and one line in the legend. None leaves a segment
        out. Where names are missing or empty, each segment has its own colour and there is no legend.
    colors : sequence of (red, green, blue)
        The colour of each name in the order of their first appearance, or of each segment where there are no names.

    Returns
    -------
    uint8 (H, W, 3)
        RGB.
    """
    count = int(label_map.max(initial=0))
    kinds, legend = _kinds(names, count)
    shades = list(colors) or list(PALETTE)
    lookup = np.zeros((count + 1, 3), np.uint8)
    shown = np.zeros(count + 1, np.bool_)
    for number, kind in enumerate(kinds, start=1):
        if kind is not None:
            lookup[number] = shades[kind % len(shades)]
            shown[number] = True
    drawn = _blend(pixels, label_map, lookup, shown)
    line = _outline(label_map, _outline_width(label_map.shape))
    line &= shown[label_map]
    drawn[line] = lookup[label_map[line]]
    if legend:
        _draw_legend(drawn, [(name, shades[kind % len(shades)]) for name, kind in legend])
    return drawn


def _kinds(names: Sequence[str | None], count: int) -> tuple[list[int | None], list[tuple[str, int]]]:
    """Number the colours: one for each name, else one for each segment; and list the legend's lines."""
    if not any(names):
        return [None if place < len(names) and names[place] is None else place for place in range(count)], []
    known: dict[str, int] = {}
    kinds: list[int | None] = []
    for place in range(count):
        name = names[place] if place < len(names) else ""
        kinds.append(None if name is None else known.setdefault(name, len(known)))
    return kinds, [(name, kind) for name, kind in known.items() if name]


def _blend(
    pixels: RGBImage, label_map: LabelMap, lookup: npt.NDArray[np.uint8], shown: npt.NDArray[np.bool_]
) -> RGBImage:
    drawn = np.empty_like(pixels)
    # in strips, to spare the memory that indexing a whole 12 MP map takes
    for top in range(0, pixels.shape[0], 256):
        numbers = label_map[top : top + 256]
        below = pixels[top : top + 256]
        mixed = cv2.addWeighted(below, 1 - FILL, np.take(lookup, numbers, axis=0), FILL, 0)
        drawn[top : top + 256] = np.where(shown[numbers][..., None], mixed, below)
    return drawn


def _outline_width(shape: tuple[int, ...]) -> int:
    """Pixels of the line, so that it looks the same on screen: 1 up to a megapixel, 3 at twelve."""
    return max(1, round(math.sqrt(shape[0] * shape[1]) / 1100))


def _outline(label_map: LabelMap, width: int) -> npt.NDArray[np.bool_]:
    """Mark the pixels of each segment that are nearest to another number."""
    line = np.zeros(label_map.shape, np.uint8)
    across = label_map[:, 1:] != label_map[:, :-1]
    down = label_map[1:] != label_map[:-1]
    line[:, 1:] |= across
    line[:, :-1] |= across
    line[1:] |= down
    line[:-1] |= down
    if width > 2:
        line = np.asarray(cv2.dilate(line, np.ones((width - 1, width - 1), np.uint8)), np.uint8)
    return line.view(np.bool_)


def _draw_legend(drawn: RGBImage, lines: Sequence[tuple[str, tuple[int, int, int]]]) -> None:
    """Draw the names into the upper left corner, in place; left out where the image is too small for it."""
    height, width = drawn.shape[:2]
    size = int(min(max(11, min(height, width) / 32), 96))
    font = ImageFont.load_default(size)
    shown = [(_shorten(name), color) for name, color in lines[:LEGEND_LINES]]
    more = f"and {len(lines) - len(shown)} more" if len(lines) > len(shown) else ""
    pad, step = size // 2, int(size * 1.4)
    longest = max(font.getlength(text) for text in [name for name, _ in shown] + [more])
    box = (int(longest + size * 1.5 + 2 * pad), int(step * (len(shown) + bool(more)) + pad))
    left = top = max(2, size // 3)
    if box[0] + 2 * left > width or box[1] + 2 * top > height:
        return
    corner = drawn[top : top + box[1], left : left + box[0]]
    corner[:] = corner * 0.25 + 250 * 0.75
    picture = PillowImage.fromarray(corner)
    draw = ImageDraw.Draw(picture)
    for place, (name, color) in enumerate(shown):
        y = pad // 2 + place * step
        draw.rectangle((pad, y + size * 0.2, pad + size * 0.9, y + size * 1.1), fill=color, outline=(60, 60, 60))
        draw.text((pad + size * 1.4, y + size * 0.65), name, font=font, fill=(25, 25, 25), anchor="lm")
    if more:
        y = pad // 2 + len(shown) * step
        draw.text((pad + size * 1.4, y + size * 0.65), more, font=font, fill=(90, 90, 90), anchor="lm")
    corner[:] = np.asarray(picture)


def _shorten(name: str) -> str:
    return name if len(name) <= 32 else name[:31] + "…"


@overload
def encode_png(pixels: npt.NDArray[np.uint8], *, as_data_url: Literal[False] = False) -> bytes: ...
@overload
def encode_png(pixels: npt.NDArray[np.uint8], *, as_data_url: Literal[True]) -> str: ...
def encode_png(pixels: npt.NDArray[np.uint8], *, as_data_url: bool = False) -> bytes | str:
    """Encode a picture as PNG.

    Parameters
    ----------
    pixels : uint8 (H, W, 3) or (H, W)
        RGB or gray.
    as_data_url : bool
        Return a ``data:`` URL for a page instead of the file's bytes.
    """
    buffer = io.BytesIO()
    # a low level: half the time of the default for a tenth more bytes
    PillowImage.fromarray(pixels).save(buffer, "PNG", compress_level=3)
    data = buffer.getvalue()
    return "data:image/png;base64," + base64.b64encode(data).decode() if as_data_url else data
