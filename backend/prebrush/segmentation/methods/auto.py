"""Automatic choice: plants, cracks, stained cells and objects on an even ground are known; other scenes are divided."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.color import is_flat, is_gray
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.components import keep_numbers
from prebrush.segmentation.method import Method, Preparation
from prebrush.segmentation.methods import multi_otsu, prompt, region_merging, ridge, threshold, watershed
from prebrush.segmentation.traits import (
    Plants,
    Stain,
    Surface,
    count_pieces,
    measure_lines,
    see_plants,
    see_stain,
    see_surface,
    share_of_commonest,
    spread_of_background,
    thumbnail,
)

MARKED = prompt
"""The method that answers where something is marked."""

EVEN_SHARE = 0.5
"""Share of the image that must lie near its most common colour to be taken for an even background."""
EVEN_SPREAD = 0.3
"""Most that the background may vary, as a share of its colour distance to the objects."""
CROWDED_SHARE, CROWDED_SPREAD = 0.3, 0.45
"""The same for crowds in gray images: fluorescence, where the crowd itself glows into the background."""
CROWD = 8
"""Objects from which on touching ones are parted. Of a few, each has a shape of its own, lobes and limbs included."""
FEW_CORES = 4
"""Stained pieces up to which the image shows a cell or two, with parts, and not a tissue of many nuclei."""
TISSUE_BLUE = 8.0
"""Green light over blue that is taken away, from which on it is a tissue: hematoxylin lets nearly all blue through, the
dyes of blood do not."""
PLAIN = 0.95
"""Share of the variance explained by two levels from which on stained things have no parts."""
CELL_SIGMA = 1 / 120
"""Blur of an image of a cell or two, as a share of its shorter side: the finer it is shown, the more grain its nucleus
has."""
SCENE = region_merging.Params(n_regions=8, stretch=1.5)
"""Some five to twelve regions, where they are most distinct: on photos, as few as people draw who draw the least."""
SIDES = 3
"""A region along this many sides of the frame may be the surroundings of a scene's objects, not one of them."""
SIDE_SHARE = 0.2
"""Share of a side that a region must cover to count as lying along it."""

AnyParams: TypeAlias = threshold.Params | watershed.Params | region_merging.Params | ridge.Params | multi_otsu.Params


@dataclass(frozen=True, slots=True)
class Params:
    """No knobs: whoever wants to turn one chooses the method."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What suits an image, and why.

    Attributes
    ----------
    method : str
        ``threshold``, ``ridge``, ``multi_otsu``, ``watershed`` or ``region_merging``.
    params : Params of that method
    reason : str
        One sentence with the figures that decided.
    """

    method: str
    params: AnyParams
    reason: str


def choose(image: RGBImage) -> Choice:
    """Choose method and knobs by what a small copy of the image shows.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB.

    Returns
    -------
    Choice
        Of the first kind that fits: plants on soil, thin dark lines on a dull surface, stained cells, objects on an
        even background; else a scene.
    """
    small = thumbnail(image)
    as_stained = partial(_as_stained, side=min(image.shape[:2]))
    looks: tuple[Callable[[RGBImage], Choice | None], ...] = (_as_field, _as_cracks, as_stained, _as_objects)
    for look in looks:
        choice = look(small)
        if choice is not None:
            return choice
    share = share_of_commonest(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.uint8))
    reason = f"a scene: neither plants, cracks nor cells, and {share:.0%} of the image near one colour"
    return Choice("region_merging", SCENE, reason)


def explain(image: RGBImage) -> str:
    """Tell what is chosen for an image, and why."""
    choice = choose(image)
    return f"{choice.method}, because it looks like {choice.reason}"


def _as_field(image: RGBImage) -> Choice | None:
    """Take several green pieces, far greener than all else, where that is of one colour and all over the image."""
    seen = see_plants(image)
    if not _is_field(seen):
        return None
    reason = (
        f"plants on soil: {seen.pieces} green pieces on {seen.share:.0%} of the image, "
        f"{seen.clarity:.0f} times as far from the soil's greenness as that varies"
    )
    return Choice("threshold", threshold.Params(channel="excess_green"), reason)


def _is_field(seen: Plants) -> bool:
    clearly_green = seen.gap >= 0.1 and seen.clarity >= 3 and seen.share >= 0.001 and seen.pieces >= 5
    # a meadow has soil in few places, and a scene has other colours beside green and brown
    return clearly_green and seen.soil_green <= 0.15 and seen.soil_colors <= 35 and seen.soil_reach >= 0.3


def _as_cracks(image: RGBImage) -> Choice | None:
    """Take a dull surface on which one dark line, or a few, outdo all the others."""
    surface = see_surface(image)
    if surface.colors > 25 or surface.brightness > 110:
        return None
    knobs = ridge.Params(sigma_max=3.0, n_sigmas=2, min_length=15.0)
    seen = measure_lines(image, ridge.segment(image, knobs, Prompt()) > 0)
    # the lines of grain, fur or leaves are many and all of a length
    clear = seen.longest >= 0.2 and seen.share_of_longest >= 0.13
    faint = seen.longest >= 0.05 and seen.share_of_longest >= 0.06 and seen.area <= 0.04 and _is_gray_ground(surface)
    if not seen.dark or seen.area > 0.08 or not (clear or faint):
        return None
    reason = (
        f"dark lines on a dull surface: the longest reaches over {seen.longest:.0%} of the image "
        f"and is {seen.share_of_longest:.0%} of them all"
    )
    return Choice("ridge", ridge.Params(), reason)


def _is_gray_ground(surface: Surface) -> bool:
    return surface.chroma <= 15 and surface.colors <= 10 and surface.brightness <= 60


def _as_stained(image: RGBImage, side: int) -> Choice | None:
    """Take dark purple, which lets through less green light than red or blue, on a pale even ground.

    ``side`` is the shorter one of the image that will be segmented, in pixels.
    """
    seen = see_stain(image)
    if seen is None or not _is_stained(seen):
        return None
    figures = f"{seen.cores} cores that take away {seen.green_to_red:.1f} times as much green light as red"
    if _is_tissue(seen):
        return Choice("watershed", watershed.Params(), f"a crowd of stained nuclei: {figures}")
    if seen.two_levels > PLAIN:
        return None
    cell = multi_otsu.Params(n_classes=4, channel="green", sigma=CELL_SIGMA * side)
    return Choice("multi_otsu", cell, f"a stained cell with its parts: {figures}")


def _is_stained(seen: Stain) -> bool:
    takes_green = seen.purple and seen.green_to_red >= 1.3 and seen.green_to_blue >= 1.6
    return takes_green and seen.ground >= 0.2 and seen.spread <= (0.25 if _is_tissue(seen) else 0.12)


def _is_tissue(seen: Stain) -> bool:
    return seen.cores > FEW_CORES or seen.green_to_blue > TISSUE_BLUE


def _as_objects(image: RGBImage) -> Choice | None:
    """Take what one threshold cuts out of an even background."""
    lab = blur(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), np.uint8), 1.0)
    share = share_of_commonest(lab)
    if share < CROWDED_SHARE:
        return None
    channel, cut = threshold.clearest_cut(image, "otsu", 128.0, sigma=1.0)
    spread = spread_of_background(lab, cut.objects)
    if spread > CROWDED_SPREAD:
        return None
    count = count_pieces(cut.objects)
    even = share >= EVEN_SHARE and spread <= EVEN_SPREAD
    if not even and not (count >= CROWD and is_gray(image)):
        return None
    figures = f"{share:.0%} of the image is near one colour, and the background varies by {spread:.2f}"
    if count < CROWD:
        single = threshold.Params(algorithm="otsu", channel=channel, polarity=cut.polarity, sigma=1.0)
        things = "one object" if count == 1 else f"{count} objects"
        return Choice("threshold", single, f"{things} on an even background: {figures}")
    return Choice("watershed", watershed.Params(), f"a crowd of {count} objects on an even background: {figures}")


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Segment with what `choose` finds, or what is marked with the method for marks.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        Has no knobs.
    prompt : Prompt
        If anything is marked, the image is not looked at: `MARKED` answers.

    Returns
    -------
    int32 (H, W)
        Objects 1..n on background 0, as `threshold`, `ridge` or `watershed` gives them; the classes of a cell,
        darkest first, on the ground; or regions 1..n of `region_merging` on what surrounds them on three sides or more.
        All 0 on a flat image.

    Notes
    -----
    Cost: that of the chosen method and some 10 ms, on dull images 30 ms, whatever the size. Fails where objects on an
    even background differ from it in texture alone.
    """
    del params
    if prompt:
        return MARKED.segment(image, MARKED.Params(), prompt)
    if is_flat(image):
        return np.zeros(image.shape[:2], np.int32)
    return _apply(image, choose(image).params)


def _apply(image: RGBImage, params: AnyParams) -> LabelMap:
    match params:
        case threshold.Params():
            return threshold.segment(image, params, Prompt())
        case ridge.Params():
            return ridge.segment(image, params, Prompt())
        case watershed.Params():
            return watershed.segment(image, params, Prompt())
        case multi_otsu.Params():
            classes = multi_otsu.segment(image, params, Prompt())
            # the brightest class is what the cells lie on
            return np.where(classes == classes.max(), np.int32(0), classes)
    return _drop_surroundings(region_merging.segment(image, params, Prompt()))


def _drop_surroundings(label_map: LabelMap) -> LabelMap:
    """Make background of the regions that reach along at least `SIDES` sides of the frame: what things lie on.

    A segment is one connected region here, so one that runs around an image is its surroundings and not a thing in it;
    unless it has a larger share of the middle than of the frame, as a face that fills the picture. If nothing else
    would be left, the regions stay.
    """
    count = int(label_map.max())
    sides = (label_map[0], label_map[-1], label_map[:, 0], label_map[:, -1])
    reached = np.sum([np.bincount(side, minlength=count + 1) >= SIDE_SHARE * side.size for side in sides], axis=0)
    height, width = label_map.shape
    middle = label_map[height // 4 : height - height // 4, width // 4 : width - width // 4]
    frame = np.concatenate(sides)
    inside = np.bincount(middle.ravel(), minlength=count + 1) / middle.size
    kept = (reached < SIDES) | (inside > np.bincount(frame, minlength=count + 1) / frame.size)
    kept[0] = False
    return keep_numbers(label_map, kept) if kept.any() else label_map


METHOD = Method(
    segment,
    Params,
    version=5,
    prompts=MARKED.METHOD.prompts,
    class_name="foreground",
    explain=explain,
    uses=("threshold", "watershed", "region_merging", "ridge", "multi_otsu", "prompt"),
    preparation=Preparation(MARKED.prepare, MARKED.answer, MARKED.Prepared),
)
