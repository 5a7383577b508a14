"""What a small copy of an image tells about its kind: plants on soil, stained cells, thin lines, an even background.

Every trait is a handful of figures that somebody can read; what follows from them is decided elsewhere.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask, RGBImage
from prebrush.segmentation.color import DARKEST_SUM, to_gray
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.histogram import histogram
from prebrush.segmentation.multilevel import find_thresholds
from prebrush.segmentation.scaling import shrink, working_size
from prebrush.segmentation.thresholds import find_threshold

THUMBNAIL_PIXELS = 100_000
"""About this many are enough to tell what an image is, and make the cost the same for every image."""
SMOOTHED_PX = 5
"""Window of the median that takes thin lines and grain away, at half the size, to see the colours of what is large."""
LEAST_PIECE = 0.1
"""Smallest piece that is counted, as a share of the largest."""
CELLS = 6
"""The image is looked at in so many rows and columns of cells, to see what is everywhere."""
NEAR = 16.0
"""Colour distance, in 8-bit Lab units, that is near."""
SMOOTH_STEP = 3
"""Levels by which neighbours in a patch of one colour differ at most."""
GREEN_STEPS = 250
"""Steps of the greenness from 0 to 1 in which its threshold is searched."""
GRAY_ADDED = 40.0
"""Grey levels added before the logarithm, so that noise in the dark is no large ratio."""


def thumbnail(image: RGBImage) -> RGBImage:
    """Shrink to `THUMBNAIL_PIXELS`, each pixel the mean of those it stands for; a smaller image is left alone."""
    height, width = image.shape[:2]
    size = working_size(height, width, THUMBNAIL_PIXELS)
    return image if size == (height, width) else shrink(image, *size)


def count_pieces(objects: Mask) -> int:
    """Count the connected pieces that are of a size with the largest: the others are crumbs of it, or specks."""
    sizes = cv2.connectedComponentsWithStats(objects.view(np.uint8))[2][1:, cv2.CC_STAT_AREA]
    return int((sizes >= max(4, LEAST_PIECE * int(sizes.max(initial=0)))).sum())


@dataclass(frozen=True, slots=True)
class Surface:
    """How much the large things of an image differ.

    Attributes
    ----------
    chroma : float
        Median distance of the colours from gray, in 8-bit Lab units.
    colors : float
        Range of the colours without their brightness, in 8-bit Lab units, the outer tenth left out.
    brightness : float
        Range of the brightness, in percent, the outer tenth left out.
    """

    chroma: float
    colors: float
    brightness: float


def see_surface(image: RGBImage) -> Surface:
    """Measure colours and brightness after thin things are smoothed away."""
    smooth = _smooth(image)
    low, high = np.percentile(to_gray(smooth), (5, 95)).tolist()
    brightness = 100 * math.log((high + GRAY_ADDED) / (low + GRAY_ADDED))
    lab = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB), np.uint8).reshape(-1, 3)
    chroma = float(np.median(np.linalg.norm(lab[:, 1:].astype(np.float32) - 128, axis=1)))
    return Surface(chroma, _color_range(lab), brightness)


def _smooth(image: RGBImage) -> RGBImage:
    """Halve the size and leave out what is thin: uint8 (H / 2, W / 2, 3)."""
    half = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
    return np.asarray(cv2.medianBlur(cv2.resize(image, half, interpolation=cv2.INTER_AREA), SMOOTHED_PX), np.uint8)


def _color_range(lab: npt.NDArray[np.uint8]) -> float:
    """Range of a and b, 5th to 95th percentile, as one length; 0 where there are no pixels."""
    if not lab.size:
        return 0.0
    low, high = np.percentile(lab[:, 1:], (5, 95), axis=0)
    return float(np.linalg.norm(high - low))


@dataclass(frozen=True, slots=True)
class Plants:
    """What is green, and what is around it. Greenness is ``(2 g - r - b) / (r + g + b)``.

    Attributes
    ----------
    share : float
        Of the pixels that are green.
    pieces : int
        Connected ones of a size with the largest.
    gap : float
        Mean greenness of plants over that of the rest.
    clarity : float
        The gap in standard deviations of the rest.
    soil_green : float
        Median greenness of the rest.
    soil_colors : float
        Range of the colours of the rest, in 8-bit Lab units.
    soil_reach : float
        Share of the rest in a cell of the image; four cells in five have as much or more.
    """

    share: float
    pieces: int
    gap: float
    clarity: float
    soil_green: float
    soil_colors: float
    soil_reach: float


def see_plants(image: RGBImage) -> Plants:
    """Cut the greenness in two and describe both sides."""
    red, middle, blue = (plane.astype(np.float32) for plane in cv2.split(blur(image, 0.7)))
    total = red + middle + blue
    green = np.asarray((3 * middle - total) / np.maximum(total, np.float32(DARKEST_SUM)), np.float32)
    steps = np.asarray(np.clip(green, 0, 1) * GREEN_STEPS, np.uint8)
    plants = np.asarray(steps > find_threshold(histogram(steps), "otsu"), np.bool_)
    if not plants.any():
        return Plants(0.0, 0, 0.0, 0.0, float(np.median(green)), 0.0, 1.0)
    soil = ~plants
    rest = green[soil]
    gap = float(green[plants].mean() - rest.mean())
    cells = cv2.resize(soil.astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    lab = np.asarray(cv2.cvtColor(_smooth(image), cv2.COLOR_RGB2LAB), np.uint8)
    around = cv2.resize(soil.view(np.uint8), lab.shape[1::-1], interpolation=cv2.INTER_NEAREST).view(np.bool_)
    return Plants(
        share=float(plants.mean()),
        pieces=count_pieces(plants),
        gap=gap,
        clarity=gap / max(float(rest.std()), 1e-3),
        soil_green=float(np.median(rest)),
        soil_colors=_color_range(lab[around]),
        soil_reach=float(np.percentile(np.asarray(cells, np.float32), 20)),
    )


@dataclass(frozen=True, slots=True)
class Stain:
    """The darkest of four classes of green light, as if it were a stain on the brightest one.

    Attributes
    ----------
    green_to_red, green_to_blue : float
        How much more green than red, and than blue light the stain takes away. Dyes of nuclei take green most.
    purple : bool
        Whether what is left is more blue and red than green.
    ground : float
        Share of the pixels in the brightest class.
    spread : float
        Standard deviation of the ground's colour, as a share of its distance to the stain's.
    cores : int
        Connected stained pieces of a size with the largest.
    two_levels : float
        Share of the variance of green that two classes explain: all but 1 where stained things have no parts.
    """

    green_to_red: float
    green_to_blue: float
    purple: bool
    ground: float
    spread: float
    cores: int
    two_levels: float


def see_stain(image: RGBImage) -> Stain | None:
    """Describe the darkest and the brightest class; None where there are not four.

    The light that is taken away is the logarithm of what comes through over what comes through the ground (Beer and
    Lambert), so that neither the lamp's colour nor its brightness matters.
    """
    smooth = blur(image, 1.0)
    green = np.ascontiguousarray(smooth[:, :, 1])
    counts = histogram(green)
    levels = find_thresholds(counts, 4)[0]
    if len(levels) < 3:
        return None
    core, ground = green <= levels[0], green > levels[-1]
    if not core.any() or not ground.any():
        return None
    dark, bright = _mean_color(smooth, core), _mean_color(smooth, ground)
    red, middle, blue = np.maximum(np.log((bright + 1) / (dark + 1)), 0.01).tolist()
    lab = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB), np.uint8)
    opened = np.asarray(cv2.morphologyEx(core.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    return Stain(
        green_to_red=middle / red,
        green_to_blue=middle / blue,
        purple=bool(dark[1] < min(dark[0], dark[2])),
        ground=float(ground.mean()),
        spread=_spread(lab, ground, core),
        cores=count_pieces(opened.view(np.bool_)),
        two_levels=explained_by_two(counts),
    )


def explained_by_two(counts: npt.NDArray[np.int64]) -> float:
    """Variance between the two classes of Otsu's threshold, as a share of all, from a histogram, int64 (256,)."""
    levels = np.arange(256)
    top = int(find_threshold(counts, "otsu")) + 1
    mean = float(counts @ levels) / float(counts.sum())
    total = float(counts @ (levels - mean) ** 2)
    between = 0.0
    for part in (slice(None, top), slice(top, None)):
        weight = float(counts[part].sum())
        between += weight * (float(counts[part] @ levels[part]) / max(weight, 1.0) - mean) ** 2
    return between / max(total, 1e-9)


@dataclass(frozen=True, slots=True)
class Lines:
    """Thin lines, by their connected pieces.

    Attributes
    ----------
    longest : float
        Extent of the longest, as a share of the image's diagonal.
    share_of_longest : float
        Of the extents of all.
    area : float
        Share of the pixels on lines.
    """

    longest: float
    share_of_longest: float
    area: float


def measure_lines(lines: Mask) -> Lines:
    """Describe a mask of lines, bool (H, W)."""
    boxes = cv2.connectedComponentsWithStats(lines.view(np.uint8))[2][1:]
    extents = np.hypot(boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT])
    if not extents.size or lines.all():
        return Lines(0.0, 0.0, 0.0)
    longest = float(extents.max())
    return Lines(longest / math.hypot(*lines.shape), longest / float(extents.sum()), float(lines.mean()))


def share_of_smooth(image: RGBImage) -> float:
    """Share of pixels that differ from those around by no more than rounding and compression make them."""
    steps = cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return float((np.asarray(steps, np.uint8).max(axis=2) <= SMOOTH_STEP).mean())


def share_of_commonest(lab: RGBImage) -> float:
    """Share of pixels near the commonest colour, by a histogram of 32 steps a channel."""
    sample = lab[::2, ::2].reshape(-1, 3)
    steps = (sample >> 3).astype(np.int32)
    bins = steps[:, 0] * 1024 + steps[:, 1] * 32 + steps[:, 2]
    common = int(np.bincount(bins).argmax())
    middle = np.array((common >> 10, common >> 5 & 31, common & 31), np.float32) * 8 + 4
    return float((np.linalg.norm(sample - middle, axis=1) < NEAR).mean())


def spread_of_background(lab: RGBImage, objects: Mask) -> float:
    """Standard deviation of the background's colour, as a share of the distance between the means of the two sides."""
    return _spread(lab, ~objects, objects) if objects.any() and not objects.all() else float("inf")


def _spread(lab: RGBImage, background: Mask, objects: Mask) -> float:
    """Compare the spread of one part's colour with the distance to the other's; both hold pixels."""
    deviation = np.asarray(cv2.meanStdDev(lab, mask=background.view(np.uint8))[1], np.float64)
    distance = float(np.linalg.norm(_mean_color(lab, background) - _mean_color(lab, objects)))
    return float(np.linalg.norm(deviation)) / max(distance, 1e-6)


def _mean_color(image: RGBImage, part: Mask) -> npt.NDArray[np.float64]:
    """Mean of each channel in a part: float64 (3,)."""
    return np.array(cv2.mean(image, mask=part.view(np.uint8)), np.float64)[:3]
