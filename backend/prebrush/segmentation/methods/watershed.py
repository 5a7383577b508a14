"""Watershed: touching objects are parted at their necks, or regions along the ridges of the colour gradient."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import GrayImage, LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.kernels.components import areas_of, connected_components, keep_numbers
from prebrush.segmentation.kernels.flooding import flood
from prebrush.segmentation.markers import OBJECT, draw_markers
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.methods.threshold import channel_knob, cut, cut_channel, polarity_knob
from prebrush.segmentation.parting import flood_peaks, part_objects
from prebrush.segmentation.snapping import GRADIENT_STEPS, color_gradient
from prebrush.segmentation.stages import stage
from prebrush.segmentation.thresholds import RULES

EDGE_LEVEL = 0.45
"""Where an object's edge is, from the level around it (0) to its own (1): a little outside the middle of the slope."""
REACH = 0.8
"""How far around an object its surroundings are measured, in typical radii of the objects."""
NESTED_SHARE = 0.04
"""Width of nested objects at most, as a share of the image's shorter side."""
NESTED_GAIN = 1.4
"""How much clearer the cut between nested objects and all else must be; without such objects it is hardly clearer."""
NESTED_DISC = 0.3
"""Share of nested objects that the largest disc within each covers, at least: less is relief and print, not objects."""
NESTED_ROUND = 0.4
"""The same for a single one: folds and rims of the things around them are longer."""
NESTED_LEVEL = 0.7
"""Least contrast of a nested object, as a share of that of round ones: grain and folds are fainter than nuclei."""


@dataclass(frozen=True, slots=True)
class Params:
    """Knobs."""

    markers: str = param(
        "distance", choices=("distance", "gradient"), help="Where the water starts if nothing is marked."
    )
    neck: float = param(
        0.88, low=0, high=1, help="Objects part where their neck is narrower than this share of the narrower one."
    )
    depth: float = param(6.0, low=0, high=255, help="Grey levels by which a ridge of the gradient parts two regions.")
    compactness: float = param(0.0, low=0, high=1000, help="Higher makes segments of more even size; 0 is plain.")
    algorithm: str = param("otsu", choices=tuple(RULES), help="Rule that finds the objects' threshold.")
    channel: str = channel_knob()
    polarity: str = polarity_knob()
    local: bool = param(True, help="Find each object's edge between its own level and that around it.")
    nested: bool = param(True, help="Cut small objects out of larger things where those are far clearer.")
    sigma: float = param(1.0, low=0, high=50, unit="px", help="Blur before anything is measured; 0 is none.")


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Flood the image from markers; each segment is what the water of one marker reaches first.

    With ``distance`` markers, objects are found by one threshold, as `threshold` does, and each is given its own: its
    edge is where the channel is about midway between the object and what lies around it, so that dim objects beside
    bright ones keep their size. Small objects within larger things of the same polarity, such as nuclei in grey cells,
    are cut out of those; there, what is long or far fainter than the round ones is left out. Then the distance to the
    background is flooded from its peaks, and what is parted by a neck that is hardly a neck is joined again. With
    ``gradient`` markers the whole image is divided into regions along the ridges of the colour gradient, from all its
    minima; regions that only a low ridge parts are joined.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        ``compactness`` is counted per pixel of distance from the marker: in pixels of the distance transform, or in
        grey levels of the gradient. ``neck`` and the knobs from ``algorithm`` to ``nested`` serve ``distance`` markers,
        ``depth`` serves ``gradient``.
    prompt : Prompt
        Marks of one object; see `draw_markers`. It is flooded on the gradient against the background's marks.

    Returns
    -------
    int32 (H, W)
        1..n objects, 0 background; every pixel is in a region with ``gradient`` markers, and the object is 1 with a
        prompt. All 0 on a flat image with ``distance`` markers.

    Notes
    -----
    Cost: linear in pixels, about 0.2 s a megapixel. Fails on objects that overlap without a neck, such as a long row of
    cells, and on nested objects that are large or faint.

    Sources: S. Beucher, C. Lantuejoul, Int. Workshop on Image Processing, 1979; L. Vincent, P. Soille, IEEE TPAMI
    13(6), 1991, doi:10.1109/34.87344; P. Neubert, P. Protzel, ICPR 2014, doi:10.1109/ICPR.2014.181 (compactness).

    Examples
    --------
    >>> import numpy as np
    >>> rows, cols = np.mgrid[:20, :40]
    >>> discs = ((rows - 10) ** 2 + (cols - 13) ** 2 < 64) | ((rows - 10) ** 2 + (cols - 27) ** 2 < 64)
    >>> image = np.where(discs[..., None], 200, 20).astype(np.uint8).repeat(3, axis=2)
    >>> segment(image, Params(), Prompt())[10, [2, 13, 27]].tolist()
    [0, 1, 2]
    """
    if prompt:
        markers = draw_markers(prompt, *image.shape[:2])
        relief = color_gradient(image, params.sigma)
        flooded = flood(relief, markers, markers >= 0, params.compactness * GRADIENT_STEPS)
        return np.asarray(flooded == OBJECT, np.int32)
    if params.markers == "gradient":
        relief = stage(color_gradient, image, params.sigma)
        return flood_peaks(
            65535 - relief, np.ones(relief.shape, np.bool_), 1.0, params.depth * GRADIENT_STEPS,
            params.compactness * GRADIENT_STEPS,
        )  # fmt: skip
    bright, objects, nested = stage(
        _objects, image, params.channel, params.algorithm, params.polarity, params.sigma, params.nested
    )
    if objects.all() or not objects.any():
        return np.zeros(image.shape[:2], np.int32)
    if params.local:
        objects = _cut_locally(bright, objects, params.neck)
    parted = part_objects(objects, params.neck, params.compactness)
    return _keep_nested(bright, parted) if nested else parted


def _objects(
    image: RGBImage, channel: str, algorithm: str, polarity: str, sigma: float, nested: bool
) -> tuple[GrayImage, Mask, bool]:
    """Return the channel that is cut, objects bright, the objects, and whether they are nested ones."""
    gray, found = cut_channel(image, channel, algorithm, polarity, sigma)
    bright = gray if found.polarity == "bright" else 255 - gray
    if nested:
        width = max(3, round(NESTED_SHARE * min(bright.shape))) | 1
        # what is left of the channel where a square of that width does not fit below it
        inner = np.asarray(cv2.morphologyEx(bright, cv2.MORPH_TOPHAT, np.ones((width, width), np.uint8)), np.uint8)
        found_inner = cut(inner, algorithm)
        clearer = found_inner.polarity == "bright" and found_inner.clarity > NESTED_GAIN * found.clarity
        if clearer and _share_in_discs(found_inner.bright) > NESTED_DISC:
            return inner, found_inner.bright, True
    return bright, found.objects, False


def _share_in_discs(objects: Mask) -> float:
    """Tell how round objects are: the area of the largest disc in each, all together, as a share of their area."""
    pieces, origin = connected_components(objects.astype(np.int32))
    areas = areas_of(pieces, origin.size - 1)
    return float(np.minimum(_discs(pieces, origin.size - 1), areas)[1:].sum() / max(1, int(objects.sum())))


def _discs(label_map: LabelMap, count: int) -> npt.NDArray[np.float64]:
    """Area of the largest disc in each segment: float64 (count + 1,)."""
    numbers = label_map.astype(np.float32)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = (label_map > 0) & (cv2.erode(numbers, cross) == cv2.dilate(numbers, cross))
    radius = np.zeros(count + 1, np.float64)
    np.maximum.at(radius, label_map, cv2.distanceTransform(inner.view(np.uint8), cv2.DIST_L2, 5) + 1)
    return np.asarray(np.pi * radius**2, np.float64)


def _keep_nested(bright: GrayImage, label_map: LabelMap) -> LabelMap:
    """Drop what is long, or fainter than the round ones are."""
    count = int(label_map.max())
    areas, levels = areas_of(label_map, count), _means(bright, label_map, count)
    kept = _discs(label_map, count) >= NESTED_ROUND * areas
    kept[0] = False
    if not kept.any():
        return label_map
    # the level of the typical pixel of round ones
    order = np.argsort(np.where(kept, levels, -1), kind="stable")
    below = np.cumsum((areas * kept)[order])
    kept &= levels >= NESTED_LEVEL * levels[order[np.searchsorted(below, below[-1] / 2)]]
    return keep_numbers(label_map, kept)


def _cut_locally(bright: GrayImage, objects: Mask, neck: float) -> Mask:
    """Cut each object and what is around it at a level of its own."""
    label_map = part_objects(objects, neck)
    count = int(label_map.max())
    radius = float(np.sqrt(np.median(areas_of(label_map, count)[1:]) / np.pi))
    distance = cv2.distanceTransform((~objects).astype(np.uint8), cv2.DIST_L2, 5)
    near = distance <= max(3.0, REACH * radius)
    zones = flood(np.minimum(distance * 16, 65535).astype(np.uint16), label_map, near, diagonal=True)
    own, around = _means(bright, zones * objects, count), _means(bright, zones * ~objects, count)
    level = around + EDGE_LEVEL * (own - around)
    return (zones > 0) & (bright > level.astype(np.float32)[zones])


def _means(gray: GrayImage, label_map: LabelMap, count: int) -> npt.NDArray[np.float64]:
    """Mean of each number, 0 where it has no pixels: float64 (count + 1,)."""
    flat = label_map.ravel()
    sums = np.bincount(flat, weights=gray.ravel(), minlength=count + 1)
    return np.asarray(sums / np.maximum(np.bincount(flat, minlength=count + 1), 1), np.float64)


METHOD = Method(
    segment, Params, version=3, prompts=("points", "boxes", "scribble"), class_name="foreground", uses=("threshold",)
)
