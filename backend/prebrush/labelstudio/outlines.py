"""Masks to the shapes of other control tags: tight boxes and simplified outlines. No percent, no JSON here.

An outline runs along the edges between pixels, not through their centres: that keeps small and thin segments whole.
"""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask
from prebrush.labelstudio.compiled import compiled

Boxes: TypeAlias = npt.NDArray[np.int32]
"""(n + 1, 4), half-open (top, left, bottom, right) of each number; bottom is 0 where a number has no pixel."""
Outline: TypeAlias = npt.NDArray[np.float64]
"""(k, 2), at least three corners (x, y) in pixels from the image's top left corner."""

MAX_POINTS = 300
"""Most corners of an outline; a person can hardly correct more, and the editor slows down."""

MAX_PARTS = 20
"""Most outlines of one segment, largest first."""

MAX_HOLES = MAX_POINTS // 5
"""Most holes of one segment, largest first: each takes at least five corners."""

_Ring: TypeAlias = npt.NDArray[np.int32]
"""(k, 2), corners of an edge before any is left out."""

_SPECK_PX = 9.0
_SPECK_FRACTION = 0.02
_FINEST_PX, _COARSEST_PX = 0.1, 2.0
_TOLERANCE_FRACTION = 0.15


def find_boxes(label_map: LabelMap) -> Boxes:
    """Find the tight box of every number, looking at each pixel once.

    Parameters
    ----------
    label_map : int32 (H, W)

    Returns
    -------
    boxes : int32 (n + 1, 4)

    Examples
    --------
    >>> find_boxes(np.array([[1, 1, 0], [1, 0, 0]], np.int32)).tolist()
    [[0, 1, 2, 3], [0, 0, 2, 2]]
    """
    pixels = np.ascontiguousarray(label_map).view()
    pixels.flags.writeable = False
    return _find_boxes(pixels, int(label_map.max(initial=0)))


@compiled
def _find_boxes(label_map: LabelMap, count: int) -> Boxes:
    height, width = label_map.shape
    boxes = np.zeros((count + 1, 4), np.int32)
    boxes[:, 0] = height
    boxes[:, 1] = width
    for row in range(height):
        column = 0
        while column < width:
            number = label_map[row, column]
            start = column
            while column < width and label_map[row, column] == number:
                column += 1
            box = boxes[number]
            box[0] = min(box[0], row)
            box[1] = min(box[1], start)
            box[2] = row + 1
            box[3] = max(box[3], column)
    return boxes


def warm() -> None:
    """Compile the loop, or load it from numba's cache, so that no request has to wait for it."""
    find_boxes(np.ones((1, 1), np.int32))


def trace_outlines(mask: Mask, max_points: int = MAX_POINTS, *, with_holes: bool = True) -> list[Outline]:
    """Draw a simplified outline around each connected part of a mask, largest first.

    Parts that touch at a corner are one. Parts under 9 pixels, or under 2 % of the largest one, are specks and left
    out, but never the largest itself. An outline reaches its holes over bridges, which it goes to and fro: they have no
    width, so what is drawn back has the holes, too. Holes under 9 pixels are left out, and, smallest first, those for
    which there are no corners left.

    Parameters
    ----------
    mask : bool (h, w)
        Usually a segment's part of the image.
    max_points : int
        Most corners an outline may have, at least 3.
    with_holes : bool
        Else what an outline encloses counts as inside.

    Returns
    -------
    outlines : list of float64 (k, 2)
        Drawn back they overlap the mask by about 0.95 (intersection over union) or more, save where ``max_points``
        does not let them. Empty for an empty mask.

    Notes
    -----
    Cost: linear in pixels. The corners are chosen by the method of D. Douglas and T. Peucker, Cartographica 10(2),
    1973, doi:10.3138/FM57-6770-U75U-7727, with a tolerance that follows the part's thickness.
    """
    rings = _trace(mask)
    if not rings:
        return []
    areas = [cv2.contourArea(ring) for ring in rings]
    smallest = min(max(_SPECK_PX, _SPECK_FRACTION * max(areas)), max(areas))
    order = sorted(range(len(rings)), key=lambda place: -areas[place])[:MAX_PARTS]
    kept = [rings[place] for place in order if areas[place] >= smallest]
    holes = _find_holes(mask, kept) if with_holes else [[] for _ in kept]
    return [_draw(ring, holes_of_it, max_points) for ring, holes_of_it in zip(kept, holes, strict=True)]


def _trace(mask: Mask) -> list[_Ring]:
    """Follow the outer edge of each connected part."""
    # At twice the size each pixel's corners are distinct: contour pixels 2c and 2c + 1 are its left and right edge.
    doubled = np.repeat(np.repeat(mask.view(np.uint8), 2, axis=0), 2, axis=1)
    contours, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [(contour[:, 0, :].astype(np.int32) + 1) // 2 for contour in contours]


def _find_holes(mask: Mask, rings: list[_Ring]) -> list[list[_Ring]]:
    """Follow the edges of the largest holes of each part, largest first.

    OpenCV could find holes along with parts, but takes minutes where there are a million.
    """
    found: list[list[_Ring]] = [[] for _ in rings]
    _, found_numbers, stats, _ = cv2.connectedComponentsWithStats((~mask).view(np.uint8), connectivity=4)
    numbers = np.asarray(found_numbers)
    left, top, width, height, area = np.asarray(stats).T
    inside = (left > 0) & (top > 0) & (left + width < mask.shape[1]) & (top + height < mask.shape[0])
    inside[0] = False  # the mask itself
    holes = np.flatnonzero(inside & (area >= _SPECK_PX))
    if not holes.size:
        return found
    parts = np.asarray(cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[1])
    owners = {int(parts[_pixel_of(ring)]): place for place, ring in enumerate(rings)}
    for number in holes[np.argsort(-area[holes], kind="stable")][:MAX_HOLES].tolist():
        x, y = int(left[number]), int(top[number])
        hole = numbers[y : y + height[number], x : x + width[number]] == number
        place = owners.get(int(parts[y - 1, x + int(hole[0].argmax())]))
        if place is not None:
            (ring,) = _trace(hole)
            found[place].append((ring + np.array([x, y], np.int32))[::-1])
    return found


def _draw(ring: _Ring, holes: list[_Ring], max_points: int) -> Outline:
    """Simplify the edge of a part, and add the holes for which there are corners left."""
    # two thirds are for the outside, if the rest is of use
    outline = _simplify(ring, max(3, max_points * 2 // 3) if holes else max_points)
    for hole in holes:
        room = max_points - len(outline) - 2  # two more where the bridge ends
        if room < 3:
            break
        outline = _bridge(outline, _simplify(hole, room))
    return outline


def _pixel_of(ring: _Ring) -> tuple[int, int]:
    """Find a pixel of the part that an edge runs around: below and right of its topmost corner, the first of them."""
    x, y = min(ring.tolist(), key=lambda corner: (corner[1], corner[0]))
    return y, x


def _bridge(outline: Outline, hole: Outline) -> Outline:
    """Join an outline and a hole in it, where they are nearest. They run in opposite directions, as they were found."""
    far = ((outline[:, np.newaxis] - hole) ** 2).sum(axis=2)
    own, other = np.unravel_index(far.argmin(), far.shape)
    around = np.concatenate([hole[other:], hole[: other + 1]])
    return np.concatenate([outline[: own + 1], around, outline[own:]])


def _simplify(corners: _Ring, max_points: int) -> Outline:
    """Leave corners out as long as the outline stays close for the thickness of what it encloses."""
    thickness = cv2.contourArea(corners) / max(cv2.arcLength(corners, closed=True), 1.0)
    tolerance = float(np.clip(_TOLERANCE_FRACTION * thickness, _FINEST_PX, _COARSEST_PX))
    simple = cv2.approxPolyDP(corners, tolerance, closed=True)
    while len(simple) > max_points:
        tolerance *= 1.5
        simple = cv2.approxPolyDP(corners, tolerance, closed=True)
    if len(simple) < 3:
        simple = cv2.boxPoints(cv2.minAreaRect(corners))[:max_points]
    return simple.reshape(-1, 2).astype(np.float64)
