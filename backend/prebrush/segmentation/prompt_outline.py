"""From chosen superpixels to an outline: pixels beside the boundary are cut anew, and brought to the image's edges."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask
from prebrush.segmentation.kernels.boundaries import upscale
from prebrush.segmentation.kernels.sparse_cut import cut_band
from prebrush.segmentation.prompt_image import Prepared
from prebrush.segmentation.prompt_regions import Choice, Mark

REACH = 5
"""Half the width of the band in which the outline is drawn anew."""
NEIGHBOURHOOD = 0.06
"""Standard deviation, as a share of the diagonal, of how near colours must be to count for an outline."""
COLOR_WEIGHT, MARGIN_WEIGHT, EDGE_WEIGHT = 1.0, 0.4, 4.0
SURE_COLOR, SURE_MARGIN, DOUBT = 3.0, 3.0, 0.3
BLUR = 1.5
SURELY, LOCAL = 0.7, 2.5
"""Small corrections: how far around a click all changes, and all that may change; 1 is as far as the outline."""
RARE = 2e-3
CERTAIN = 1e4


class Outline(NamedTuple):
    """The object so far.

    Attributes
    ----------
    choice : Choice
    mask : bool (h, w)
        At the size at which clicks are answered.
    """

    choice: Choice
    mask: Mask


def redraw(prepared: Prepared, before: Outline | None, choice: Choice, marks: list[Mark]) -> Outline:
    """Draw the outline of changed superpixels, and only theirs.

    Parameters
    ----------
    prepared : Prepared
    before : Outline or None
    choice : Choice
        With the last mark.
    marks : list of Mark
        All so far; their pixels keep their sign.
    """
    changed = np.ones(choice.chosen.size, np.bool_) if before is None else choice.chosen != before.choice.chosen
    changed[marks[-1].sources] = True
    width = 2 * REACH + 1
    near = cv2.dilate(changed[prepared.superpixels].astype(np.uint8), np.ones((width, width), np.uint8)) > 0
    mask = choice.chosen[prepared.superpixels]
    if before is not None:
        mask = np.where(near, mask, before.mask)
    kernel = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)), np.uint8)
    pixels = mask.astype(np.uint8)
    band = cv2.dilate(pixels, kernel) != cv2.erode(pixels, kernel)
    marked = draw_marks(prepared, marks)
    beside = cv2.dilate((draw_marks(prepared, marks[-1:]) != 0).astype(np.uint8), np.ones((width, width), np.uint8)) > 0
    band = (band | beside) & near
    if band.any():
        gain = _gains(prepared, choice, band)
        gain[marked != 0] = CERTAIN * marked[marked != 0]
        mask = cut_band(band, mask, prepared.lab, gain, EDGE_WEIGHT, float(prepared.sharpness[0]))
    return Outline(choice, np.where(marked != 0, marked > 0, mask))


def correct_locally(prepared: Prepared, before: Outline, marks: list[Mark]) -> Outline | None:
    """Change only pixels around the last mark, if what is wrong there is smaller than a superpixel.

    Around a click as far as the outline is all is wrong, or else the person would have clicked elsewhere; and not much
    beyond.

    Parameters
    ----------
    prepared : Prepared
    before : Outline
    marks : list of Mark

    Returns
    -------
    Outline or None
        None where superpixels must change.
    """
    mark = marks[-1]
    row, col = int(mark.rows[0]), int(mark.cols[0])
    if mark.rows.size > 1 or before.mask[row, col] == mark.positive:
        return None
    wrong = cv2.copyMakeBorder((before.mask != mark.positive).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    reach = float(cv2.distanceTransform(wrong, cv2.DIST_L2, 5)[row + 1, col + 1])
    if np.pi * (LOCAL * reach) ** 2 > prepared.areas[mark.sources].sum():
        return None
    height, width = before.mask.shape
    down, right = np.arange(height)[:, None] - row, np.arange(width) - col
    away = np.sqrt(down**2 + right**2)
    sign = 1 if mark.positive else -1
    gain = np.where(away < SURELY * reach, CERTAIN * sign, 0.0)
    drawn = draw_marks(prepared, marks)
    gain[drawn != 0] = CERTAIN * drawn[drawn != 0]
    mask = cut_band(away < LOCAL * reach, before.mask, prepared.lab, gain, EDGE_WEIGHT, float(prepared.sharpness[0]))
    return Outline(before.choice, np.where(drawn != 0, drawn > 0, mask))


def draw_marks(prepared: Prepared, marks: list[Mark]) -> npt.NDArray[np.int8]:
    """Draw the marks, those of a pixel each as 3 x 3 pixels: int8 (h, w), 1, -1 or 0; the later ones over others."""
    drawn = np.zeros(prepared.superpixels.shape, np.int8)
    for mark in marks:
        if mark.rows.size == 1:
            row, col = int(mark.rows[0]), int(mark.cols[0])
            drawn[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = 1 if mark.positive else -1
    for mark in marks:
        drawn[mark.rows.astype(np.intp), mark.cols.astype(np.intp)] = 1 if mark.positive else -1
    return drawn


def _gains(prepared: Prepared, choice: Choice, band: Mask) -> npt.NDArray[np.float64]:
    """How much each pixel of the band wants to be object, by the colours of both sides nearby and by the margins."""
    used = np.unique(prepared.superpixels[band])
    # single precision, and the square taken apart: the table of all pairs is most of a click's time
    places = np.stack((prepared.rows, prepared.cols), axis=1)
    places = ((places - places.mean(axis=0)) / (NEIGHBOURHOOD * prepared.diagonal)).astype(np.float32)
    halved = 0.5 * (places**2).sum(axis=1)
    nearness = places[used] @ places.T
    nearness -= halved[used][:, None] + halved
    np.exp(nearness, out=nearness)
    nearness *= prepared.areas.astype(np.float32)
    inside = nearness @ (prepared.colors * choice.chosen[:, None])
    outside = nearness @ (prepared.colors * ~choice.chosen[:, None])
    inside /= inside.sum(axis=1, keepdims=True) + np.float32(1e-9)
    outside /= outside.sum(axis=1, keepdims=True) + np.float32(1e-9)
    table = np.zeros((choice.chosen.size, inside.shape[1]), np.float32)
    table[used] = np.clip(np.log((inside + RARE) / (outside + RARE)), -SURE_COLOR, SURE_COLOR)
    margins = np.clip(choice.margins, -SURE_MARGIN, SURE_MARGIN)
    agrees = choice.chosen == (margins > 0)
    margins = np.where(agrees, margins, np.where(choice.chosen, DOUBT, -DOUBT)).astype(np.float32)
    smooth = cv2.GaussianBlur(margins[prepared.superpixels], (0, 0), BLUR).reshape(band.shape)
    return np.asarray(COLOR_WEIGHT * table[prepared.superpixels, prepared.palette] + MARGIN_WEIGHT * smooth, np.float64)


def draw_along_edges(prepared: Prepared, mask: Mask) -> Mask:
    """Bring a mask to the size of the kept image, its outline to the edges there.

    Parameters
    ----------
    prepared : Prepared
    mask : bool (h, w)

    Returns
    -------
    bool (H', W')
    """
    height, width = prepared.image.shape[:2]
    if height * width <= mask.size:
        large = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5
    else:
        large = upscale(mask.astype(np.int32), prepared.small, prepared.image) > 0
    return np.asarray(large.reshape(height, width))


def enlarge_mask(prepared: Prepared, mask: Mask) -> Mask:
    """Bring a mask from the size of the kept image to that of the image.

    Parameters
    ----------
    prepared : Prepared
    mask : bool (H', W')

    Returns
    -------
    bool (H, W)
        A new array.
    """
    height, width = int(prepared.shape[0]), int(prepared.shape[1])
    if mask.shape == (height, width):
        return mask.copy()
    large = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR) > 127
    return np.asarray(large.reshape(height, width))
