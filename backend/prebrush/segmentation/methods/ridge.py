"""Ridge filters: cracks, vessels, roots and wires, by how much each pixel lies on a thin dark or bright line."""

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
    gap.

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
    Cost: linear in pixels and widths, some 300 ms a megapixel with four. Fails where the ground itself has lines, such
    as joints of tiles, and on lines wider than four times ``sigma_max``.

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
    return found[best].mask.astype(np.int32)


def find_lines(image: RGBImage, params: Params) -> dict[str, Lines]:
    """Find the dark and the bright lines of an image, uint8 (H, W, 3): of one polarity alone if the knob says so."""
    several = params.sigma_max > params.sigma_min
    sigmas = np.geomspace(params.sigma_min, params.sigma_max, params.n_sigmas if several else 1).tolist()
    responses = stage(_responses, image, params.channel, sigmas, params.filter)
    sides = zip(("dark", "bright"), responses, strict=True)
    return {side: _trace(response, params) for side, response in sides if params.polarity in ("auto", side)}


def _responses(image: RGBImage, channel: str, sigmas: list[float], filter_name: str) -> tuple[Response, Response]:
    """Return the responses to dark and to bright lines, float32 (H, W) each."""
    contrast = _to_contrast(CHANNELS[channel](image))
    # two differences of pixels smooth as well: the variance that they add is taken off
    blurred = [blur(contrast, max(sigma**2 - 1 / 6, 0.04) ** 0.5) for sigma in sigmas]
    return line_responses(blurred, sigmas, filter_name, two_sided=True)


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
    sums = np.bincount(pieces.ravel(), weights=supports.ravel(), minlength=clear.size)
    means = sums / np.maximum(np.bincount(pieces.ravel(), minlength=clear.size), 1)
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


METHOD = Method(segment, Params, version=4, class_name="foreground", thin=True)
