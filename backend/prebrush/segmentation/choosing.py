"""What kind of image this is, and which method and knobs suit it; `auto` is the method that does what this says."""

import dataclasses
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import cv2
import numpy as np

from prebrush.datatypes import RGBImage
from prebrush.segmentation.cleanup import suited_knobs
from prebrush.segmentation.color import is_gray, to_gray
from prebrush.segmentation.filters import blur
from prebrush.segmentation.kernels.histogram import histogram
from prebrush.segmentation.methods import adaptive_threshold, multi_otsu, region_merging, ridge, threshold, watershed
from prebrush.segmentation.traits import (
    Plants,
    Stain,
    Surface,
    count_pieces,
    explained_by_two,
    measure_lines,
    see_plants,
    see_stain,
    see_surface,
    share_of_commonest,
    share_of_smooth,
    spread_of_background,
    thumbnail,
)
from prebrush.segmentation.writing import Writing, see_writing

EVEN_SHARE = 0.5
"""Share of the image that must lie near its most common colour to be taken for an even background."""
EVEN_SPREAD = 0.3
"""Most that the background may vary, as a share of its colour distance to the objects."""
CROWDED_SHARE, CROWDED_SPREAD = 0.3, 0.45
"""The same for crowds in gray images: fluorescence, where the crowd itself glows into the background."""
TWO_HEAPS = 0.7
"""Share of the variance that the cut explains in those: of a texture, whose levels are one heap, 2 / pi = 0.64."""
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
INK = adaptive_threshold.Params(algorithm="sauvola", block_size=25, offset=0.0, k=0.3, channel="gray", polarity="dark")
"""For writing: a window of a line or two, and a weight at which the grain of old paper is left out."""
STROKES = 5
"""The window is at least so many strokes wide, so that paper is in it where the widest ones are."""
LETTERS = 40
"""Pieces from which on ink is writing: a line of it has as many."""
STROKE = 0.012
"""Widest stroke, as a share of the longer side: twice that of a page of fifteen lines."""
THIN = 0.4
"""Most width over length of the pieces of writing; that of seeds and cells is over a half."""
LINES = ridge.Params(sigma_max=3.0, n_sigmas=2, min_length=15.0)
"""How the thumbnail is searched for cracks."""
ROUGH = (0.15, 4.5)
"""Response of the ground that a surface has. Skies and drawings have less; the stones of gravel more, themselves."""
SMOOTH_SHARE = 0.3
"""Share of an image on patches of one colour from which on it is no soil, which is rough: maps, skies and things on a
table have more."""

AS_LINES = MappingProxyType(suited_knobs(asked=0, thin=True))
"""The clean-up for cracks: like that of `ridge`."""
AS_INK = MappingProxyType({**AS_LINES, "instances": "merge"})
"""The clean-up for writing: its strokes are lines, too, and nobody wants each letter as a region."""

AnyParams: TypeAlias = (
    threshold.Params
    | adaptive_threshold.Params
    | watershed.Params
    | region_merging.Params
    | ridge.Params
    | multi_otsu.Params
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What suits an image, and why.

    Attributes
    ----------
    method : str
        ``threshold``, ``adaptive_threshold``, ``ridge``, ``multi_otsu``, ``watershed`` or ``region_merging``.
    params : Params of that method
    reason : str
        One sentence with the figures that decided.
    cleanup : mapping
        Knobs of the clean-up that suit it better than the defaults.
    """

    method: str
    params: AnyParams
    reason: str
    cleanup: Mapping[str, object] = field(default_factory=dict)


_latest: ContextVar[tuple[weakref.ref[RGBImage], Choice] | None] = ContextVar("latest", default=None)
"""The image that was looked at last, and what was chosen: both segmentation and clean-up ask."""


def choose(image: RGBImage) -> Choice:
    """Choose method and knobs by what a small copy of the image shows.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB.

    Returns
    -------
    Choice
        Of the first kind that fits: stained cells, writing, thin dark lines on a dull surface, plants on soil, objects
        on an even background; else a scene.
    """
    latest = _latest.get()
    # what may still be written to may have changed
    if latest is not None and latest[0]() is image and not image.flags.writeable:
        return latest[1]
    choice = _look(image)
    _latest.set((weakref.ref(image), choice))
    return choice


def _look(image: RGBImage) -> Choice:
    """Try the kinds one after another."""
    small = thumbnail(image)
    as_stained = partial(_as_stained, side=min(image.shape[:2]))
    # letters are too small for the thumbnail; green leaves lie on cracked ground, too, but cracks are in no field
    as_written = partial(_as_written, whole=image)
    looks: tuple[Callable[[RGBImage], Choice | None], ...] = (
        as_stained, as_written, _as_cracks, _as_field, _as_objects,
    )  # fmt: skip
    for look in looks:
        choice = look(small)
        if choice is not None:
            return choice
    share = share_of_commonest(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.uint8))
    reason = f"a scene: neither cells, writing, cracks nor plants, and {share:.0%} of the image near one colour"
    return Choice("region_merging", SCENE, reason)


def _as_written(image: RGBImage, whole: RGBImage) -> Choice | None:
    """Take many thin small dark pieces on an even bright ground; they are looked for in the whole image."""
    del image
    seen = see_writing(whole)
    if not _is_writing(seen):
        return None
    reason = (
        f"writing on paper: {seen.pieces} pieces of ink on {seen.ink:.0%} of the image, "
        f"{seen.clarity:.0f} times as dark as the paper varies"
    )
    window = max(INK.block_size, round(STROKES * seen.stroke * max(whole.shape)) | 1)
    return Choice("adaptive_threshold", dataclasses.replace(INK, block_size=window), reason, AS_INK)


def _is_writing(seen: Writing) -> bool:
    are_letters = seen.pieces >= LETTERS and seen.thinness <= THIN and seen.length <= 0.15
    return seen.on_paper and are_letters and seen.stroke <= STROKE


def _as_cracks(image: RGBImage) -> Choice | None:
    """Take a dull surface on which one dark line, or a few, outdo all the others."""
    surface = see_surface(image)
    if surface.colors > 25 or surface.brightness > 110:
        return None
    found = ridge.find_lines(image, LINES)
    dark, bright = found["dark"], found["bright"]
    seen = measure_lines(dark.mask)
    ahead = dark.amount / max(bright.amount, 1e-6)
    # the lines of grain, fur or leaves are many and all of a length, and as many are bright as are dark
    clear = seen.longest >= 0.2 and seen.share_of_longest >= 0.13 and (ahead >= 1.3 or seen.share_of_longest >= 0.5)
    faint = seen.longest >= 0.05 and seen.share_of_longest >= 0.06 and seen.area <= 0.04 and ahead >= 2
    faint = faint and _is_gray_ground(surface) and dark.ground <= ROUGH[1]
    if dark.ground < ROUGH[0] or seen.area > 0.11 or not (clear or faint):
        return None
    reason = (
        f"dark lines on a dull surface: the longest reaches over {seen.longest:.0%} of the image "
        f"and is {seen.share_of_longest:.0%} of them all"
    )
    return Choice("ridge", ridge.Params(polarity="dark"), reason, AS_LINES)


def _is_gray_ground(surface: Surface) -> bool:
    return surface.chroma <= 15 and surface.colors <= 10 and surface.brightness <= 60


def _as_field(image: RGBImage) -> Choice | None:
    """Take several green pieces, far greener than all else; that is of one colour, rough, and all over the image."""
    seen = see_plants(image)
    if not _is_field(seen) or share_of_smooth(image) > SMOOTH_SHARE:
        return None
    reason = (
        f"plants on soil: {seen.pieces} green pieces on {seen.share:.0%} of the image, "
        f"{seen.clarity:.0f} times as far from the soil's greenness as that varies"
    )
    return Choice("threshold", threshold.Params(channel="excess_green"), reason)


def _is_field(seen: Plants) -> bool:
    if seen.clarity < 3:
        return False
    # a meadow has soil in few places, and a scene has other colours beside green and brown
    single = seen.gap >= 0.1 and seen.share >= 0.001 and seen.pieces >= 5 and seen.soil_reach >= 0.3
    single = single and seen.soil_green <= 0.15 and seen.soil_colors <= 35
    # leaves that have closed to one piece, still with soil between them everywhere
    closed = seen.gap >= 0.25 and seen.share >= 0.3 and seen.soil_reach >= 0.2
    return single or (closed and seen.soil_green <= 0.05 and seen.soil_colors <= 30)


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
    if not even and not (count >= CROWD and is_gray(image) and _has_two_heaps(image)):
        return None
    figures = f"{share:.0%} of the image is near one colour, and the background varies by {spread:.2f}"
    if count < CROWD:
        single = threshold.Params(algorithm="otsu", channel=channel, polarity=cut.polarity, sigma=1.0)
        things = "one object" if count == 1 else f"{count} objects"
        return Choice("threshold", single, f"{things} on an even background: {figures}")
    return Choice("watershed", watershed.Params(), f"a crowd of {count} objects on an even background: {figures}")


def _has_two_heaps(image: RGBImage) -> bool:
    return explained_by_two(histogram(blur(to_gray(image), 1.0))) >= TWO_HEAPS
