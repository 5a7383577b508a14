"""What is done to the segments of any method: smooth, fill, drop, split or merge, cap, number.

Not for finding segments: what is dropped becomes background, and nothing here makes a segment out of background.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, RGBImage, Segments
from prebrush.segmentation.kernels.boundaries import majority
from prebrush.segmentation.kernels.components import areas_of, connected_components, keep_numbers, replace_numbers
from prebrush.segmentation.kernels.runs import fill_holes
from prebrush.segmentation.method import param
from prebrush.segmentation.parting import part_segments
from prebrush.segmentation.scoring import score_segments
from prebrush.segmentation.snapping import snap_to_edges

Filterable: TypeAlias = npt.NDArray[np.integer[Any] | np.floating[Any]]
MOST_REGIONS = 30
"""Hundreds of brush masks on one image take gigabytes in Label Studio's browser page."""
LEAST_AREA = 0.0002
"""Smaller segments are specks."""
_AREA = "pixels of the image from 1 up, a share of it below 1; 0 is none."


@dataclass(frozen=True, slots=True)
class Cleanup:
    """Knobs of the clean-up, in the order in which the steps are taken."""

    closing: float = param(
        0.0, low=0, high=100, unit="px", help="Close gaps in and between segments up to this radius."
    )
    opening: float = param(0.0, low=0, high=100, unit="px", help="Cut off what is thinner than twice this radius.")
    smoothing: float = param(1.0, low=0, high=50, unit="px", help="Radius of the majority vote along boundaries.")
    snap_to_edges: float = param(
        0.0, low=0, high=100, unit="px", help="Move boundaries to the image's edges within this distance."
    )
    instances: str = param(
        "split",
        choices=("split", "merge", "keep"),
        help="split makes each connected piece a segment, merge makes one segment of each class.",
    )
    part_touching: float = param(
        0.0, low=0, high=1, help="Part what touches where its neck is below this share of the narrower one; 0 is none."
    )
    min_area: float = param(LEAST_AREA, low=0, high=1_000_000_000, help=f"Drop smaller segments: {_AREA}")
    fill_holes: float = param(0.005, low=0, high=1_000_000_000, help=f"Fill holes up to this area: {_AREA}")
    clear_border: bool = param(False, help="Drop segments that touch the image's border.")
    max_regions: int = param(MOST_REGIONS, low=1, high=100_000, help="Keep this many segments, largest and best first.")


UNTOUCHED = Cleanup(smoothing=0.0, instances="keep", min_area=0.0, fill_holes=0.0, max_regions=100_000)
"""Knobs that change nothing but the order: a base for ``dataclasses.replace``."""


def suited_knobs(*, asked: int, thin: bool) -> dict[str, float]:
    """Return the knobs that suit a method's segments better than the defaults.

    Parameters
    ----------
    asked : int
        How many segments were asked for: more than are kept by default are all kept.
    thin : bool
        Whether they are lines: these are neither smoothed nor are their meshes filled.
    """
    knobs: dict[str, float] = {"smoothing": 0.0, "fill_holes": 0.0} if thin else {}
    if asked > MOST_REGIONS:
        # some come out larger in number than asked for, and in pieces; superpixels may be a quarter of their mean
        knobs |= {"max_regions": min(100_000, 2 * asked), "min_area": min(LEAST_AREA, 0.1 / asked)}
    return knobs


def clean(segments: Segments, image: RGBImage, cleanup: Cleanup, classes: Collection[str] | None = None) -> Segments:
    """Clean the segments of a method up.

    Parameters
    ----------
    segments : Segments
        Classes are carried along; scores are made anew.
    image : uint8 (H, W, 3)
        RGB, the image they were found in.
    cleanup : Cleanup
    classes : collection of str or None
        In lower case: segments of other classes become background, before anything is counted. None keeps all.

    Returns
    -------
    Segments
        With scores, see `score_segments`; numbered by score times the square root of the area, best first.

    Notes
    -----
    Cost: linear in pixels, whatever the number of segments; some 50 ms a megapixel with every step.
    """
    label_map, names = segments.label_map, list(segments.classes)
    if classes is not None:
        label_map, names = _keep(label_map, names, np.array([name.lower() in classes for name in names], np.bool_))
    label_map = _reshape(label_map, image, cleanup, len(names))
    least = max(1.0, _pixels(cleanup.min_area, label_map.size))
    if cleanup.instances == "split":
        # specks are left out here, where their areas are known anyway
        label_map, origin = connected_components(label_map, least_area=math.ceil(least))
        names = [names[number - 1] for number in origin[1:].tolist()]
    elif cleanup.instances == "merge":
        label_map, names = _merge(label_map, names)
    if cleanup.part_touching > 0:
        label_map, origin = part_segments(label_map, cleanup.part_touching)
        names = [names[number - 1] for number in origin[1:].tolist()]
    areas = areas_of(label_map, len(names))[1:]
    kept = areas >= least
    if not kept.all():
        label_map, names = _keep(label_map, names, kept)
    if cleanup.fill_holes > 0:
        label_map = fill_holes(label_map, _pixels(cleanup.fill_holes, label_map.size))
    if cleanup.clear_border:
        label_map, names = _keep(label_map, names, ~_touching_border(label_map, len(names)))
    return _rank(label_map, names, image, cleanup.max_regions)


def _reshape(label_map: LabelMap, image: RGBImage, cleanup: Cleanup, count: int) -> LabelMap:
    """Take the steps that move boundaries."""
    if cleanup.closing >= 0.5:
        label_map = _close(label_map, round(cleanup.closing))
    if cleanup.opening >= 0.5:
        label_map = _open(label_map, round(cleanup.opening), count)
    if cleanup.smoothing >= 0.5:
        label_map = _smooth(label_map, round(cleanup.smoothing), count)
    if cleanup.snap_to_edges >= 0.5:
        label_map = snap_to_edges(label_map, image, cleanup.snap_to_edges)
    return label_map


def _pixels(area: float, size: int) -> float:
    """Turn an area knob to pixels: a share of the image below 1."""
    return area * size if area < 1 else area


def _keep(label_map: LabelMap, names: list[str], kept: npt.NDArray[np.bool_]) -> tuple[LabelMap, list[str]]:
    """Drop the other segments and close the gaps in the numbers."""
    left = [name for name, keep in zip(names, kept, strict=True) if keep]
    return keep_numbers(label_map, np.concatenate(([False], kept))), left


def _merge(label_map: LabelMap, names: list[str]) -> tuple[LabelMap, list[str]]:
    """Make one segment of each class; segments without a class stay apart."""
    numbers, merged, known = np.zeros(len(names) + 1, np.int32), list[str](), dict[str, int]()
    for number, name in enumerate(names, start=1):
        if not name or name not in known:
            merged.append(name)
            known[name] = len(merged)
            numbers[number] = len(merged)
        else:
            numbers[number] = known[name]
    return replace_numbers(label_map, numbers), merged


def _disc(radius: int) -> npt.NDArray[np.uint8]:
    """Return uint8 (2 * radius + 1, 2 * radius + 1), 1 inside the circle."""
    steps = np.arange(-radius, radius + 1)
    return (steps[:, None] ** 2 + steps**2 <= (radius + 0.5) ** 2).astype(np.uint8)


def _filterable(label_map: LabelMap, count: int) -> Filterable:
    """Convert to the smallest type that OpenCV's filters take and that holds all numbers."""
    kind = (
        np.uint8 if count < 1 << 8 else np.uint16 if count < 1 << 16 else np.float32 if count < 1 << 24 else np.float64
    )
    return label_map.astype(kind)


def _extremes(label_map: LabelMap, radius: int, count: int) -> tuple[Filterable, Filterable]:
    """Return the lowest and the highest number in the disc around each pixel; outside the frame nothing counts."""
    values = _filterable(label_map, count)
    return cv2.erode(values, _disc(radius)), cv2.dilate(values, _disc(radius))


def _close(label_map: LabelMap, radius: int) -> LabelMap:
    """Close the foreground as a whole; each new pixel joins the nearest segment."""
    foreground = (label_map > 0).astype(np.uint8)
    # a margin of background, because the filter would treat the frame as part of the objects
    padded = cv2.copyMakeBorder(foreground, radius, radius, radius, radius, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _disc(radius))[radius:-radius, radius:-radius]
    new = (closed > 0) & (foreground == 0)
    if not new.any():
        return label_map
    # a number for each foreground pixel, and for every pixel that of the nearest one
    _, nearest = cv2.distanceTransformWithLabels(1 - foreground, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    number_at = np.zeros(int(nearest.max()) + 1, np.int32)
    inside = foreground > 0
    number_at[nearest[inside]] = label_map[inside]
    filled = label_map.copy()
    filled[new] = number_at[nearest[new]]
    return filled


def _open(label_map: LabelMap, radius: int, count: int) -> LabelMap:
    """Open every segment at once: a pixel stays if some disc that covers it lies within its segment."""
    lowest, highest = _extremes(label_map, radius, count)
    cores = np.where(lowest == highest, lowest, np.zeros_like(lowest))
    # discs of two segments never overlap, so the highest number in reach can only be the pixel's own
    covered = cv2.dilate(cores, _disc(radius))
    return np.where(covered > 0, label_map, np.int32(0))


def _smooth(label_map: LabelMap, radius: int, count: int) -> LabelMap:
    lowest, highest = _extremes(label_map, radius, count)
    return majority(label_map, lowest != highest, radius)


def _touching_border(label_map: LabelMap, count: int) -> npt.NDArray[np.bool_]:
    """Return bool (count,)."""
    touching = np.zeros(count + 1, np.bool_)
    for line in (label_map[0], label_map[-1], label_map[:, 0], label_map[:, -1]):
        touching[line] = True
    return touching[1:]


def _rank(label_map: LabelMap, names: list[str], image: RGBImage, most: int) -> Segments:
    """Score, keep the best and number them in that order."""
    count = len(names)
    scores = score_segments(label_map, image, count)
    areas = areas_of(label_map, count)[1:]
    # smoothing may have left a segment without pixels; the order is stable, so that reruns agree
    order = [place for place in np.argsort(-scores * np.sqrt(areas), kind="stable").tolist() if areas[place]][:most]
    numbers = np.zeros(count + 1, np.int32)
    numbers[np.array(order, np.intp) + 1] = np.arange(1, len(order) + 1)
    classes = tuple(names[place] for place in order)
    return Segments.trusted(replace_numbers(label_map, numbers), scores[order], classes)
