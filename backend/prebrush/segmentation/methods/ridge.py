"""Ridge filters: cracks, vessels, roots and wires, by how much each pixel lies on a thin dark or bright line."""

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import GrayImage, LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.color import CHANNELS
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.components import connected_components
from prebrush.segmentation.kernels.ridges import (
    FILTERS,
    Response,
    line_responses,
    line_supports,
    strength_and_length,
)
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.stages import stage
from prebrush.segmentation.wide_lines import draw_wide

LEAST_RESPONSE = 1.0
"""No line is fainter than this; black to white around a line of the fitting width is about 100."""
LEAST_SHARE = 0.12
"""Nor than this share of the strongest lines, so that an image without grain does not turn up its faintest marks."""
GROUND = 75.0
"""Percentile of the responses that stands for the grain of the ground."""
STRONGEST = 99.8
"""Percentile of the responses that stands for the strongest lines."""
SHARE_OF_LONGEST = 0.15
"""Pieces are also short if they are below this share of the longest: beside a crack, what is short is mostly grain."""
SHARE_OF_CLEAREST = 0.45
"""Nor do they count if they respond less than this share of what the longest does, on average: the cores of stains and
the rims of shadows are faint beside a crack, along all of their length. Of two cracks, the fainter has half or more."""
GAP_PX = 6.0
"""Short pieces this near to a long one continue it."""
SPECK_PX = 6.0
"""But not if they are below this length."""
DARK_FIRST = 2.0
"""How many times as much bright lines must have to show: cracks, vessels and joints are dark, and what is bright beside
them is paint, or the rims of stains and shadows."""
LEAST_CONTRAST = 25.0
"""Wide lines are darker than their ground by this much, in percent: fainter ones are stains and shades."""
CONTRAST_OF_FINE = 0.9
"""Nor do they have less than this share of what the thin lines have, on which ours are sure."""
LENGTH_OF_FINE = 0.5
"""And they are at least so long beside the longest thin line."""
LEAST_SIDE = 24
"""Pixels that a reduced image still has."""
DARKEST = 40.0
"""Grey levels added before the logarithm."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    filter: str = param("sato", choices=FILTERS, help="Which of the three measures of a line.")
    polarity: str = param("auto", choices=("auto", "dark", "bright"), help="Lines are darker or brighter than around.")
    sigma_min: float = param(
        1.4, low=0.5, high=50, unit="px", up_to="sigma_max", help="For the thinnest lines: about half their width."
    )
    sigma_max: float = param(5.0, low=0.5, high=50, unit="px", help="For the widest lines: about half their width.")
    n_sigmas: int = param(4, low=1, high=12, help="How many widths are tried between the two.")
    low: float = param(
        2.0, low=0, high=100, up_to="high", help="Lines go on down to so many times the response of the ground."
    )
    high: float = param(3.2, low=0, high=100, help="Lines start from so many times the response of the ground.")
    min_length: float = param(20.0, low=0, high=10000, unit="px", help="Drop what is shorter, corner to corner.")
    max_width: float = param(
        80.0,
        low=0,
        high=2000,
        unit="px",
        help="Wider lines than those of sigma_max are filled, up to about this width.",
    )
    channel: str = param("gray", choices=tuple(CHANNELS), help="What is filtered; green suits photos of the retina.")


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one polarity.

    Attributes
    ----------
    mask : bool (H, W)
    amount : float
        How much there is to them: their response, summed up in multiples of the ground's.
    ground : float
        The response that three quarters of the pixels do not reach.
    """

    mask: Mask
    amount: float
    ground: float


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Find thin lines.

    A ridge filter is applied to the logarithm of the image at several widths, so that light and shade do not matter,
    and weakened where only one side differs from the line, as at the edge of a shadow. Lines start where the response,
    averaged along a short straight piece, is over ``high`` and go on while it is over ``low`` (hysteresis). Both are in
    multiples of the response that three quarters of the pixels do not reach, which is that of the ground's grain.
    Pieces much shorter or much fainter than the longest are dropped, unless they continue a long one beyond a little
    gap. Wider lines are found in the same way in smaller images, and drawn exactly where the image is nearer to the
    level of the line than to that of the ground beside it; what is faint, stout or fades out slowly, as stains and
    shadows are, is left out.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        With ``polarity="auto"`` dark lines are taken, unless bright ones have twice as much to show. Where
        ``sigma_min`` and ``sigma_max`` are equal, that one width is used. For Frangi's filter the square root of the
        response is compared, as it grows with the square of the contrast.
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        1 lines, 0 background; all 0 where nothing stands out.

    Notes
    -----
    Cost: linear in pixels and widths, some 250 ms a megapixel with four. Fails where the ground itself has lines, such
    as joints of tiles, and on lines wider than a tenth of their length.

    Sources: Y. Sato et al., Medical Image Analysis 2(2), 1998, doi:10.1016/S1361-8415(98)80009-1; A. F. Frangi et al.,
    MICCAI 1998, doi:10.1007/BFb0056195; E. Meijering et al., Cytometry A 58(2), 2004, doi:10.1002/cyto.a.20022.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((30, 40, 3), 180, np.uint8)
    >>> image[14:17] = 90
    >>> label_map = segment(image, Params(), Prompt())
    >>> label_map[15].all(), label_map[:10].any()
    (np.True_, np.False_)
    """
    del prompt
    found = find_lines(image, params)
    weights = {"dark": DARK_FIRST, "bright": 1.0}
    best = max(found, key=lambda side: weights[side] * found[side].amount)
    fine = found[best].mask
    wide = _wide_lines(image, params, best, fine)
    return (_drop_short(fine | wide) if wide.any() else fine).astype(np.int32)


def find_lines(image: RGBImage, params: Params) -> dict[str, Lines]:
    """Find the dark and the bright lines of an image, uint8 (H, W, 3): of one polarity alone if the knob says so."""
    several = params.sigma_max > params.sigma_min
    sigmas = np.geomspace(params.sigma_min, params.sigma_max, params.n_sigmas if several else 1).tolist()
    responses = stage(_responses, image, params.channel, sigmas, params.filter, 1)
    sides = zip(("dark", "bright"), responses, strict=True)
    return {side: _trace(response, params) for side, response in sides if params.polarity in ("auto", side)}


def _responses(
    image: RGBImage, channel: str, sigmas: list[float], filter_name: str, factor: int
) -> tuple[Response, Response]:
    """Return the responses to dark and to bright lines of the image made smaller: float32 (H, W) / factor each."""
    contrast = _to_contrast(CHANNELS[channel](image))
    if factor > 1:
        height, width = (round(side / factor) for side in contrast.shape)
        contrast = np.asarray(cv2.resize(contrast, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    # two differences of pixels smooth as well: the variance that they add is taken off
    blurred = [blur(contrast, max(sigma**2 - 1 / 6, 0.04) ** 0.5) for sigma in sigmas]
    return line_responses(blurred, sigmas, filter_name, two_sided=True)


def _wide_lines(image: RGBImage, params: Params, side: str, fine: Mask) -> Mask:
    """Find what is too wide for ``sigma_max`` in smaller and smaller images, each half the size of the one before."""
    contrast = _to_contrast(CHANNELS[params.channel](image))
    levels = contrast if side == "dark" else -contrast
    wide = np.zeros(fine.shape, np.bool_)
    least_contrast = max(LEAST_CONTRAST, CONTRAST_OF_FINE * _contrast_of(levels, fine))
    longest = _longest(fine)
    # the upper half of the widths; the lower half was the upper one of the image before
    sigmas = np.geomspace(params.sigma_max / 2, params.sigma_max, 3).tolist()
    factor = 2
    while params.sigma_max * factor < params.max_width and min(fine.shape) >= LEAST_SIDE * factor:
        dark, bright = stage(_responses, image, params.channel, sigmas, params.filter, factor)
        shortest = max(params.min_length / factor, LEAST_SIDE / 2)
        lines = _trace(dark if side == "dark" else bright, dataclasses.replace(params, min_length=shortest))
        wide |= draw_wide(levels, lines.mask, least_contrast, max(shortest * factor, LENGTH_OF_FINE * longest))
        factor *= 2
    return wide


def _drop_short(lines: Mask) -> Mask:
    """Keep the pieces that are not much shorter than the longest."""
    pieces, origin = connected_components(lines.astype(np.int32))
    _, length = strength_and_length(pieces, np.zeros(lines.shape, np.float32), origin.size - 1)
    kept = length >= SHARE_OF_LONGEST * length.max()
    kept[0] = False
    return np.asarray(kept[pieces], np.bool_)


def _longest(lines: Mask) -> float:
    """Return the length of the longest piece, corner to corner."""
    pieces, origin = connected_components(lines.astype(np.int32))
    return float(strength_and_length(pieces, np.zeros(lines.shape, np.float32), origin.size - 1)[1].max())


def _contrast_of(levels: npt.NDArray[np.float32], lines: Mask) -> float:
    """Return by how much lines are lower than what lies a few pixels beside them; 0 where there are none."""
    near, around = (cv2.dilate(lines.view(np.uint8), np.ones((side, side), np.uint8)) > 0 for side in (7, 13))
    beside = around & ~near
    return float(levels[beside].mean() - levels[lines].mean()) if lines.any() and beside.any() else 0.0


def _to_contrast(gray: GrayImage) -> npt.NDArray[np.float32]:
    """Take the logarithm, in percent: light and shade multiply, so a line is as strong in the one as in the other."""
    # some grey levels more, so that the noise of black surroundings is not blown up
    levels = 100 * np.log(np.arange(256) + DARKEST)
    return np.asarray(levels.astype(np.float32)[gray], np.float32)


def _trace(response: Response, params: Params) -> Lines:
    """Cut with hysteresis."""
    if params.filter == "frangi":
        response = np.sqrt(response)
    # every fourth pixel is enough for two percentiles
    ground, strongest = np.percentile(response[::2, ::2], (GROUND, STRONGEST)).tolist()
    floor = max(LEAST_SHARE * strongest, LEAST_RESPONSE if params.filter == "sato" else 0.0)
    low, high = max(params.low * ground, floor), params.high * ground
    supports = line_supports(response, low)
    pieces, origin = connected_components((supports > 0).astype(np.int32))
    strength, length = strength_and_length(pieces, supports, origin.size - 1)
    clear = (strength >= max(high, 2 * floor)) & (length >= params.min_length)
    clear[0] = False
    kept = _keep_like_longest(clear, length, pieces, supports)
    lines = _continue_lines(kept[pieces], pieces, length)
    return Lines(lines, float(supports[lines].sum()) / max(ground, floor, 1e-6), ground)


def _keep_like_longest(
    clear: npt.NDArray[np.bool_], length: Response, pieces: LabelMap, supports: Response
) -> npt.NDArray[np.bool_]:
    """Of the clear pieces, keep those that are not much shorter and not much fainter than the longest of them."""
    if not clear.any():
        return clear
    places = np.flatnonzero(pieces)
    owners = pieces.ravel()[places]
    sums = np.bincount(owners, weights=supports.ravel()[places], minlength=clear.size)
    means = sums / np.maximum(np.bincount(owners, minlength=clear.size), 1)
    longest = int(np.where(clear, length, 0).argmax())
    alike = (length >= SHARE_OF_LONGEST * length[longest]) & (means >= SHARE_OF_CLEAREST * means[longest])
    return np.asarray(clear & alike, np.bool_)


def _continue_lines(lines: Mask, pieces: LabelMap, length: Response) -> Mask:
    """Add the pieces that begin or end near a line: a crack that is interrupted goes on."""
    if not lines.any():
        return lines
    near = cv2.distanceTransform((~lines).view(np.uint8), cv2.DIST_L2, 5) <= GAP_PX
    reached = np.zeros(length.size, np.bool_)
    reached[pieces[near]] = True
    reached &= length >= SPECK_PX
    reached[0] = False
    return lines | np.asarray(reached[pieces], np.bool_)


METHOD = Method(segment, Params, version=5, class_name="foreground", thin=True)
