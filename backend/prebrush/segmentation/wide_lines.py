"""Lines that are wider than a ridge filter reaches: found in a smaller image, drawn exactly in the full one."""

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.components import areas_of, connected_components
from prebrush.segmentation.kernels.ridges import strength_and_length

Levels = npt.NDArray[np.float32]

AROUND_PX = 5
"""Half the side of the window in which the line's level and the ground's are averaged, in pixels of the small image."""
NEAR_PX = 2
"""How far beside the line of the small image the exact one may lie, in its pixels."""
ROUNDS = 3
"""Of two means; after the third hardly a pixel changes."""
LEAST_FILL = 0.6
"""Share of the small image's line that the exact one fills. A thin line, blurred by the reduction, fills less."""
LEAST_STEP = 0.4
"""Of the contrast, what the few pixels across the outline have to make up: shadows and stains fade out more slowly."""
LEAST_ELONGATION = 7.0
"""Squared length over area: that of a straight strip is its length over its width. Stains are stouter."""


def draw_wide(levels: Levels, coarse: Mask, least_contrast: float, least_length: float) -> Mask:
    """Draw the wide lines that a filter has found in a reduced image.

    Beside each line the level of the line and that of its ground are averaged by two means, each in a window that
    moves along; what is nearer to the line's level belongs to it. Pieces that turn out not to be wide, sharp, long
    lines are left out.

    Parameters
    ----------
    levels : float32 (H, W)
        The image; lines are lower than their ground.
    coarse : bool (h, w)
        Lines of the image reduced to that size.
    least_contrast : float
        By how much lines have to be lower than their ground.
    least_length : float
        Corner to corner, in pixels of the full image.

    Returns
    -------
    bool (H, W)
    """
    height, width = levels.shape
    factor = height / coarse.shape[0]
    pieces, origin = connected_components(coarse.astype(np.int32))
    _, lengths = strength_and_length(pieces, np.zeros(pieces.shape, np.float32), origin.size - 1)
    lengths *= factor
    kept = lengths >= least_length
    kept[0] = False
    pieces = np.where(kept[pieces], pieces, 0)
    if not pieces.any():
        return np.zeros((height, width), np.bool_)
    small = np.asarray(cv2.resize(levels, coarse.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    middle, ground = _two_means(small, pieces > 0)
    near = cv2.dilate(pieces.astype(np.float32), _disc(NEAR_PX))
    owner = cv2.resize(near, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int32)
    smooth = blur(levels, 1.0)
    lines = np.asarray((smooth < cv2.resize(middle, (width, height))) & (owner > 0), np.bool_)
    lines = cv2.morphologyEx(lines.view(np.uint8), cv2.MORPH_CLOSE, _disc(round(factor / 2))).view(np.bool_)
    core = cv2.resize((pieces > 0).view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).view(np.bool_)
    filled = np.bincount(owner[core & lines], minlength=origin.size)
    wide = filled >= LEAST_FILL * np.maximum(np.bincount(owner[core], minlength=origin.size), 1)
    return _keep_lines(lines & wide[owner], cv2.resize(ground, (width, height)) - smooth, least_contrast, least_length)


def _keep_lines(lines: Mask, depth: Levels, least_contrast: float, least_length: float) -> Mask:
    """Of what has been drawn, keep the connected pieces that are deep, sharp, long and slender."""
    pieces, origin = connected_components(lines.astype(np.int32), least_area=int(least_length))
    count = origin.size
    _, lengths = strength_and_length(pieces, np.zeros(depth.shape, np.float32), count - 1)
    contrast, step = _contrast_and_step(depth, pieces, count)
    good = (contrast >= least_contrast) & (step >= LEAST_STEP * contrast) & (lengths >= least_length)
    good &= lengths**2 >= LEAST_ELONGATION * areas_of(pieces, count - 1)
    good[0] = False
    return np.asarray(good[pieces], np.bool_)


def _two_means(levels: Levels, lines: Mask) -> tuple[Levels, Levels]:
    """Return the level midway between line and ground, and that of the ground, both float32 (h, w) and local."""
    near = cv2.dilate(lines.view(np.uint8), _disc(2 * NEAR_PX)).view(np.bool_)
    around = cv2.dilate(lines.view(np.uint8), _disc(AROUND_PX)).view(np.bool_)
    middle = ground = levels
    for _ in range(ROUNDS):
        ground = _local_mean(levels, around & ~lines)
        middle = np.asarray((_local_mean(levels, lines) + ground) / 2, np.float32)
        lines = near & (levels < middle)
    return middle, ground


def _local_mean(levels: Levels, where: Mask) -> Levels:
    """Average over the pixels in question of a window around each; 0 where there is none."""
    side = (2 * AROUND_PX + 1, 2 * AROUND_PX + 1)
    share = cv2.blur(where.astype(np.float32), side)
    return np.asarray(cv2.blur(np.where(where, levels, np.float32(0)), side) / np.maximum(share, 1e-6), np.float32)


def _contrast_and_step(
    depth: Levels, pieces: LabelMap, count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How much deeper than its ground each piece is within, and how much of that its outline steps: float (count,)."""
    shape = (pieces > 0).view(np.uint8)
    # beyond the outline, a pixel belongs to the piece it is next to
    around = cv2.dilate(pieces.astype(np.float32), _disc(3)).astype(np.int32)
    inner = cv2.erode(shape, _disc(2))
    beyond = cv2.dilate(shape, _disc(1))

    def mean(where: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        owners = around[where]
        sums = np.bincount(owners, weights=depth[where], minlength=count)
        return np.asarray(sums / np.maximum(np.bincount(owners, minlength=count), 1))

    return mean(inner > 0), mean(shape > inner) - mean((around > 0) & (beyond == 0))


def _disc(radius: int) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)
