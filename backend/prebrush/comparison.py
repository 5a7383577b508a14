"""One image through every method, side by side on one sheet: what `prebrush compare` makes."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from prebrush.datatypes import RGBImage
from prebrush.errors import PrebrushError
from prebrush.files import load_image
from prebrush.overlay import PALETTE, draw_overlay, encode_png
from prebrush.recipes import build_recipe
from prebrush.segmenter import compute_segments
from prebrush.settings import Settings
from prebrush.warming import warm_kernels

TILE_PIXELS = 420 * 300
"""Area of each picture on the sheet."""
ASPECT = 1.5
"""Width over height that the sheet comes near to."""
GAP = 18
STRIP = 44
"""Height of the text under a picture."""
PAPER, INK, DIM = (250, 250, 248), (28, 28, 30), (120, 120, 124)


@dataclass(frozen=True, slots=True)
class Tile:
    """One method's result on the sheet."""

    method: str
    seconds: float
    segments: int
    picture: RGBImage


def compare_methods(
    path: Path, methods: Sequence[str], target: Path, settings: Settings, on_progress: Callable[[str], None]
) -> tuple[Tile, ...]:
    """Segment one image with each method as a project that sets nothing else would get it, and draw the sheet.

    Parameters
    ----------
    path : Path
    methods : sequence of str
    target : Path
        The PNG file to write.
    settings : Settings
        For the limits on images.
    on_progress : callable (text)
        Called with each method when it is done.

    Raises
    ------
    ImageError
        The file cannot be read as an image.
    PrebrushError
        The sheet cannot be written.
    """
    pixels = load_image(path, settings)
    shown = _fit(pixels)
    tiles = []
    warm_kernels(on_terminal=True)
    for method in methods:
        tiles.append(_run(pixels, shown, method))
        on_progress(method)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode_png(draw_sheet(path.name, pixels.shape, shown, tiles)))
    except OSError as error:
        raise PrebrushError(f"cannot write {target}: {error.strerror}") from error
    return tuple(tiles)


def _run(pixels: RGBImage, shown: RGBImage, method: str) -> Tile:
    recipe = build_recipe({"method": method})
    # once on next to nothing, so that what a method loads on its first use is not in the time
    compute_segments(np.ascontiguousarray(shown[:24, :24]), recipe)
    started = time.perf_counter()
    segments = compute_segments(pixels, recipe)
    seconds = time.perf_counter() - started
    size = (shown.shape[1], shown.shape[0])
    # drawn at the size it is seen at, so that the outlines stay sharp; segment counts fit a float32 exactly
    small = cv2.resize(segments.label_map.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    several = len(set(segments.classes)) > 1
    names = tuple(segments.classes) if several else ()
    picture = draw_overlay(shown, np.asarray(small, np.int32), colors=_colors(names))
    return Tile(method, seconds, len(segments), picture)


def _colors(classes: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """Give the segments of one class one colour, without the legend that would hide half of a small picture."""
    places = {name: place for place, name in enumerate(sorted(set(classes)))}
    return tuple(PALETTE[places[name] % len(PALETTE)] for name in classes)


def _fit(pixels: RGBImage) -> RGBImage:
    """Scale to the area of a tile, keeping the shape within reason."""
    height, width = pixels.shape[:2]
    shape = min(4.0, max(0.25, width / height))
    tile_width = math.sqrt(TILE_PIXELS * shape)
    factor = min(tile_width / width, tile_width / shape / height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)


def draw_sheet(name: str, shape: tuple[int, ...], shown: RGBImage, tiles: Sequence[Tile]) -> RGBImage:
    """Lay the image and the methods' results out on one sheet, each with its text below: uint8 (h, w, 3)."""
    height, width = shown.shape[:2]
    cell_height, cell_width = height + STRIP + GAP, max(width, 230) + GAP
    count = len(tiles) + 1
    columns = min(range(1, count + 1), key=lambda number: _misfit(number, count, cell_width / cell_height))
    rows = math.ceil(count / columns)
    sheet = PillowImage.new("RGB", (columns * cell_width + GAP, rows * cell_height + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(18), ImageFont.load_default(14)
    texts = [(_shorten(name), f"{shape[1]} x {shape[0]}")]
    texts += [(tile.method, f"{_time(tile.seconds)} · {_count(tile.segments)}") for tile in tiles]
    for place, (picture, (title, facts)) in enumerate(zip([shown, *(t.picture for t in tiles)], texts, strict=True)):
        left, top = GAP + place % columns * cell_width, GAP + place // columns * cell_height
        sheet.paste(PillowImage.fromarray(picture), (left, top))
        draw.text((left, top + height + 5), title, font=large, fill=INK)
        draw.text((left, top + height + 26), facts, font=small, fill=DIM)
    return np.asarray(sheet)


def _misfit(columns: int, count: int, cell_aspect: float) -> float:
    """How far a sheet is from its shape, and how much of it stays empty."""
    rows = math.ceil(count / columns)
    return abs(math.log(columns * cell_aspect / rows / ASPECT)) + (rows * columns - count) / count


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _count(segments: int) -> str:
    return "1 segment" if segments == 1 else f"{segments} segments"


def _shorten(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:14]}…{name[-9:]}"
