"""Thresholding: one cut through one channel splits objects from their background."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from prebrush.datatypes import GrayImage, LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.color import CHANNELS, INDICES, is_gray
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.components import connected_components
from prebrush.segmentation.kernels.histogram import histogram
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.multilevel import find_thresholds
from prebrush.segmentation.thresholds import RULES, Counts, find_threshold, mean_level

AUTOMATIC_CHANNELS = ("gray", "value", "saturation", "a", "b")
"""What the automatic choice compares. Hue is left out: it is noise wherever there is little colour."""

GREEN_WINDOW, GREEN_REACH = 5, 2.0
"""Side of the window in which colours are smoothed before greenness is measured, and the standard deviation of the
weight by distance in it."""
GREEN_PASSES = 3
"""How often. Cameras and JPEG hold colour at half the resolution: its noise comes in grains wider than the window."""
GREEN_TOLERANCE = 15.0
"""Colours that differ by more than about this many levels are not mixed by that, so that thin leaves stay thin."""


def channel_knob() -> Any:
    """Declare the knob ``channel`` of a method that cuts one."""
    return param("auto", choices=("auto", *CHANNELS), help="What is cut; auto takes the clearest channel.")


def polarity_knob() -> Any:
    """Declare the knob ``polarity`` of a method that tells objects from a background."""
    return param("auto", choices=("auto", "bright", "dark"), help="Which side of the cut the objects are on.")


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    algorithm: str = param("otsu", choices=(*RULES, "manual", "hysteresis"), help="Rule that finds the threshold.")
    channel: str = channel_knob()
    polarity: str = polarity_knob()
    value: float = param(128.0, low=0, high=255, help="The threshold of the manual algorithm; bright is above it.")
    low: float = param(
        -1.0, low=-1, high=255, up_to="high", unset=-1,
        help="Lower threshold of hysteresis; -1 takes the lower one between three classes.",
    )  # fmt: skip
    high: float = param(
        -1.0, low=-1, high=255, unset=-1,
        help="Upper threshold of hysteresis; -1 takes the upper one between three classes.",
    )  # fmt: skip
    sigma: float = param(0.0, low=0, high=50, unit="px", help="Blur before the cut; 0 is none.")


@dataclass(frozen=True, slots=True)
class Cut:
    """One channel cut in two.

    Attributes
    ----------
    threshold : float
        Pixels above it are bright.
    polarity : "bright" or "dark"
        Which side the objects are on.
    gray : uint8 (H, W)
        The channel.
    bright : bool (H, W)
        Pixels above the threshold.
    counts : int64 (256,) or None
        The channel's histogram; None where the threshold was found without it.
    """

    threshold: float
    polarity: Literal["bright", "dark"]
    gray: GrayImage
    bright: Mask
    counts: Counts | None

    @property
    def objects(self) -> Mask:
        """The pixels on the objects' side: bool (H, W)."""
        return self.bright if self.polarity == "bright" else ~self.bright

    @property
    def clarity(self) -> float:
        """How well the cut separates objects from a background that fills the frame; 0 where nothing is separated.

        The gap between the means of the sides over the sum of their standard deviations, times the square of the share
        of the frame's edge that is background.
        """
        counts = histogram(self.gray) if self.counts is None else self.counts
        gap, spread = _gap_and_spread(counts, int(self.threshold) + 1)
        on_edge = _share_on_edge(self.bright)
        background_on_edge = 1 - on_edge if self.polarity == "bright" else on_edge
        # two grey levels more of spread, so that a flat channel with two neighbouring values is not the clearest of all
        return gap / (spread + 2) * background_on_edge**2


def cut(gray: GrayImage, algorithm: str, value: float = 128.0) -> Cut:
    """Cut a channel; objects are on the side that looks less like the background.

    The background is the side that holds more of the frame's edge and of the area, each counting half.

    Parameters
    ----------
    gray : uint8 (H, W)
    algorithm : str
        A key of `RULES`, or ``manual``.
    value : float
        The threshold of ``manual``.
    """
    counts = None
    if algorithm == "manual":
        threshold = value
    elif algorithm == "mean":
        threshold = mean_level(gray)
    else:
        counts = histogram(gray)
        threshold = find_threshold(counts, algorithm)
    bright = gray > threshold
    share = np.count_nonzero(bright) / bright.size
    return Cut(threshold, "bright" if _share_on_edge(bright) + share < 1 else "dark", gray, bright, counts)


def _share_on_edge(bright: Mask) -> float:
    return float(np.concatenate((bright[0], bright[-1], bright[:, 0], bright[:, -1])).mean())


def _gap_and_spread(counts: Counts, top: int) -> tuple[float, float]:
    """Distance between the means of the levels below and from ``top``, and the sum of their standard deviations."""
    levels = np.arange(256)
    below, above = counts[:top], counts[top:]
    if not below.any() or not above.any():
        return 0.0, 0.0
    means, spread = [], 0.0
    for part, values in ((below, levels[:top]), (above, levels[top:])):
        mean = float(part @ values) / float(part.sum())
        means.append(mean)
        spread += float(np.sqrt(part @ (values - mean) ** 2 / part.sum()))
    return means[1] - means[0], spread


def clearest_cut(image: RGBImage, algorithm: str, value: float, sigma: float) -> tuple[str, Cut]:
    """Cut every channel of `AUTOMATIC_CHANNELS` and take the clearest; a gray image has only ``gray``.

    Returns
    -------
    str
        The channel's name.
    Cut
    """
    names = ("gray",) if is_gray(image) else AUTOMATIC_CHANNELS
    cuts = {name: cut(blur(CHANNELS[name](image), sigma), algorithm, value) for name in names}
    best = max(cuts, key=lambda name: cuts[name].clarity)
    return best, cuts[best]


def cut_channel(
    image: RGBImage, channel: str, algorithm: str, polarity: str, sigma: float, value: float = 128.0
) -> tuple[GrayImage, Cut]:
    """Cut the channel that is asked for, with the objects on the side that is asked for.

    Parameters
    ----------
    image : uint8 (H, W, 3)
    channel : str
        A key of `CHANNELS`, or ``auto``.
    algorithm : str
        A key of `RULES`, or ``manual``.
    polarity : str
        ``bright``, ``dark`` or ``auto``, which is bright for `INDICES`.
    sigma : float
        Blur before the cut, in pixels.
    value : float
        The threshold of ``manual``.

    Returns
    -------
    gray : uint8 (H, W)
        The blurred channel.
    Cut
    """
    name = clearest_cut(image, algorithm, value, sigma)[0] if channel == "auto" else channel
    gray = blur(CHANNELS[name](_calm(image) if name == "excess_green" else image), sigma)
    found = cut(gray, algorithm, value)
    if polarity == "bright" or (polarity == "auto" and name in INDICES):
        found = dataclasses.replace(found, polarity="bright")
    elif polarity == "dark":
        found = dataclasses.replace(found, polarity="dark")
    return gray, found


def _calm(image: RGBImage) -> RGBImage:
    """Take the noise out and leave the edges: in a dark pixel, how the colours share their sum is mostly noise.

    Source: C. Tomasi, R. Manduchi, ICCV 1998, doi:10.1109/ICCV.1998.710815
    """
    for _ in range(GREEN_PASSES):
        image = np.asarray(cv2.bilateralFilter(image, GREEN_WINDOW, GREEN_TOLERANCE, GREEN_REACH), np.uint8)
    return image


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Split objects from background at one threshold.

    Thresholds are those of scikit-image for 8-bit images. The automatic channel and polarity look for objects on a
    background that fills most of the frame and of its edge; see `cut`. On the channels that measure a thing, such as
    ``excess_green``, objects are what is high; that one is measured after a filter that takes out noise and keeps
    edges. ``hysteresis`` has two thresholds: objects are the connected pieces above the lower one that reach above the
    upper one somewhere; dark ones lie below the upper one and reach below the lower one.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
    prompt : Prompt
        Not used.

    Returns
    -------
    int32 (H, W)
        1 objects, 0 background; all 0 where the chosen channel is flat or the cut leaves one side empty.

    Notes
    -----
    Cost: linear in pixels, about a millisecond a megapixel and channel, 30 with ``excess_green``. Fails under uneven
    light, and where objects and background share their values. `minimum` takes Otsu's threshold where the histogram
    does not have two peaks.

    Sources: N. Otsu, IEEE Trans. SMC 9(1), 1979, doi:10.1109/TSMC.1979.4310076; C. H. Li, P. K. S. Tam, Pattern
    Recognition Letters 19(8), 1998, doi:10.1016/S0167-8655(98)00057-9; G. W. Zack, W. E. Rogers, S. A. Latt, J.
    Histochem. Cytochem. 25(7), 1977, doi:10.1177/25.7.70454 (triangle); J.-C. Yen, F.-J. Chang, S. Chang, IEEE Trans.
    Image Processing 4(3), 1995, doi:10.1109/83.366472; T. W. Ridler, S. Calvard, IEEE Trans. SMC 8(8), 1978,
    doi:10.1109/TSMC.1978.4310039 (isodata); C. A. Glasbey, CVGIP 55(6), 1993, doi:10.1006/cgip.1993.1040 (mean);
    J. M. S. Prewitt, M. L. Mendelsohn, Ann. N.Y. Acad. Sci. 128, 1966, doi:10.1111/j.1749-6632.1965.tb11715.x
    (minimum). M. Sezgin, B. Sankur, Journal of Electronic Imaging 13(1), 2004, doi:10.1117/1.1631315, compares them.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((4, 4, 3), 20, np.uint8)
    >>> image[1:3, 1:3] = 200
    >>> segment(image, Params(), Prompt()).tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    del prompt
    rule = "otsu" if params.algorithm == "hysteresis" else params.algorithm
    gray, found = cut_channel(image, params.channel, rule, params.polarity, params.sigma, params.value)
    if gray.min() == gray.max():
        return np.zeros(gray.shape, np.int32)
    hysteresis = params.algorithm == "hysteresis"
    objects = _above_both(gray, params.low, params.high, found.polarity) if hysteresis else found.objects
    return np.zeros(gray.shape, np.int32) if objects.all() else objects.astype(np.int32)


def _above_both(gray: GrayImage, low: float, high: float, polarity: Literal["bright", "dark"]) -> Mask:
    """Take what is above the lower threshold and connected to what is above the upper one; for dark objects below.

    A threshold that is chosen here makes way for one that is given.
    """
    levels, _ = find_thresholds(histogram(gray), 3)
    if low < 0:
        low = levels[0] if high < 0 else min(levels[0], high)
    if high < 0:
        high = max(low, levels[-1])
    sure, likely = (gray > high, gray > low) if polarity == "bright" else (gray <= low, gray <= high)
    pieces, origin = connected_components(likely.astype(np.int32), diagonal=False)
    reached = np.zeros(origin.size, np.bool_)
    reached[pieces[sure]] = True
    return np.asarray(reached[pieces] & likely, np.bool_)


METHOD = Method(segment, Params, version=5, class_name="foreground")
