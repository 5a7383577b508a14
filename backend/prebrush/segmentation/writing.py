"""Whether an image is written or printed paper: many small dark pieces, all thin strokes, on an even bright ground.

Like `traits`, figures that somebody can read; what follows from them is decided elsewhere.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import GrayImage, Mask, RGBImage
from prebrush.segmentation.color import to_gray
from prebrush.segmentation.kernels.histogram import histogram
from prebrush.segmentation.scaling import working_size
from prebrush.segmentation.thresholds import find_threshold

READING_PIXELS = 500_000
"""A page of sixty lines has letters of seven pixels then; on a smaller copy they would run into their lines."""
PAPER_SHRINK = 4
"""The paper alone is looked at so many times smaller, where writing is half gone already."""
PAPER_WINDOW = 0.1
"""Window in which the paper's light is taken to be the median, as a share of the shorter side: the middle of a dense
paragraph is still mostly paper, and shade changes more slowly than that."""
WHITE = 200.0
"""Value that lit paper gets once its light is taken out; what reflects more, to 1.27 times, still has a value."""
DARKEST_PAPER = 16
"""Light below which a share of it is mostly noise."""
LEAST_PIECE_PX = 8
"""Smaller pieces are noise or dust."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What is dark on the paper, in shares of the paper's light and of the image's longer side.

    Attributes
    ----------
    ink : float
        Share of the pixels that are dark.
    gap : float
        Share of the light that ink swallows.
    clarity : float
        The gap in standard deviations of the paper.
    pieces : int
        Connected dark ones, without specks.
    stroke : float
        Width of the wider strokes.
    thinness : float
        Width of a piece over its length; half of the ink is on pieces with less.
    length : float
        Length of a piece; half of the ink is on shorter ones.
    """

    ink: float
    gap: float
    clarity: float
    pieces: int = 0
    stroke: float = 0.0
    thinness: float = 1.0
    length: float = 1.0

    @property
    def on_paper(self) -> bool:
        """Whether there is some ink, far darker than an even paper that shows most of itself."""
        return 0.01 <= self.ink <= 0.25 and self.gap >= 0.2 and self.clarity >= 6


def see_writing(image: RGBImage) -> Writing:
    """Cut the share of the paper's light in two and describe the dark pieces; those of no paper are not looked at."""
    height, width = working_size(image.shape[0], image.shape[1], READING_PIXELS)
    gray = np.asarray(cv2.resize(to_gray(image), (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    shares = _share_of_light(gray)
    ink = np.asarray(shares <= find_threshold(histogram(shares), "otsu"), np.bool_)
    if not ink.any() or ink.all():
        return Writing(0.0, 0.0, 0.0)
    mean, deviation = (
        np.asarray(figure, np.float64).item() for figure in cv2.meanStdDev(shares, mask=(~ink).view(np.uint8))
    )
    gap = mean - np.asarray(cv2.mean(shares, mask=ink.view(np.uint8)), np.float64)[0].item()
    # a level of grey at least: the paper of a drawing has no noise at all
    seen = Writing(float(ink.mean()), gap / WHITE, gap / max(deviation, 1.0))
    return _measure_pieces(seen, ink) if seen.on_paper else seen


def _share_of_light(gray: GrayImage) -> GrayImage:
    """Divide by the light of the paper around: uint8 (H, W), `WHITE` for paper."""
    height, width = gray.shape
    small = (max(1, width // PAPER_SHRINK), max(1, height // PAPER_SHRINK))
    # the brightest of neighbours: strokes are gone, and the grain of the paper counts for little in the median
    bright = cv2.dilate(cv2.resize(gray, small, interpolation=cv2.INTER_AREA), np.ones((3, 3), np.uint8))
    paper = cv2.medianBlur(bright, max(5, round(PAPER_WINDOW * min(small))) | 1)
    light = np.maximum(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), DARKEST_PAPER)
    return np.asarray(cv2.divide(gray, np.asarray(light, np.uint8), scale=WHITE), np.uint8)


def _measure_pieces(seen: Writing, ink: Mask) -> Writing:
    _, pieces, table, _ = cv2.connectedComponentsWithStats(ink.view(np.uint8))
    inside = np.asarray(cv2.distanceTransform(ink.view(np.uint8), cv2.DIST_L2, 3), np.float32)
    widths = np.zeros(table.shape[0], np.float32)
    np.maximum.at(widths, np.asarray(pieces[ink], np.intp), 2 * inside[ink])
    areas = table[:, cv2.CC_STAT_AREA].astype(np.float64)
    lengths = np.hypot(table[:, cv2.CC_STAT_WIDTH], table[:, cv2.CC_STAT_HEIGHT])
    large = areas >= LEAST_PIECE_PX
    large[0] = False
    if not large.any():
        return seen
    side = max(ink.shape)
    return Writing(
        ink=seen.ink,
        gap=seen.gap,
        clarity=seen.clarity,
        pieces=int(large.sum()),
        stroke=2 * float(np.percentile(inside[ink], 90)) / side,
        thinness=_weighted_median(widths[large] / lengths[large], areas[large]),
        length=_weighted_median(lengths[large], areas[large]) / side,
    )


def _weighted_median(values: npt.NDArray[np.floating], weights: npt.NDArray[np.float64]) -> float:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][int(np.searchsorted(reached, reached[-1] / 2))])
