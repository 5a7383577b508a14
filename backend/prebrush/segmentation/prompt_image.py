"""What `prompt` knows of an image before anything is clicked: superpixels, their graph, colours and contours.

Arrays only, so that it can be kept in memory, shared by all clicks on the image, and packed.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, RGBImage
from prebrush.segmentation.boundary_strength import boundary_strength, textons
from prebrush.segmentation.color import to_lab
from prebrush.segmentation.kernels.region_graph import replay
from prebrush.segmentation.kernels.region_paths import Floats, Ints, Neighbours, distances, list_neighbours
from prebrush.segmentation.scaling import WORKING_PIXELS, shrink, working_size
from prebrush.segmentation.superpixel_graph import build_graph, stretch

INNER_PIXELS = 90_000
"""Clicks are answered at about this size, and the outline is then brought to the image's own edges."""
MOST_ENLARGED = 2.0
"""Small images are enlarged to that size, up to so many times: small things need superpixels, too."""
FINER = 2
"""Boundary strength is measured on so many times as many rows: discs of 4, 6 and 10 pixels tell small parts apart."""
N_COARSE = 200
"""Regions among which is measured what hangs together with the frame."""
SAME_COLOR, SURFACE = 4.0, 12.0
"""Colour differences below the first are none; sums of them along a way over the second leave the surface."""


class Prepared(NamedTuple):
    """An image, ready for clicks. n superpixels counted from 0, m pairs of them that touch.

    Attributes
    ----------
    shape : int64 (2,)
        Height and width of the image.
    image : uint8 (H', W', 3)
        RGB, at most about a megapixel: where outlines end up.
    small : uint8 (h, w, 3)
        RGB, at the size at which clicks are answered.
    lab : float32 (h, w, 3)
        CIE Lab of that, stretched to the full range.
    superpixels : int32 (h, w)
        0..n - 1.
    palette : uint8 (h, w)
        The nearest of k typical colours.
    blending : float32 (k, k)
        How much each colour counts as each other; rows sum to 1.
    ends : int64 (m, 2)
    lengths, strengths, heights : float64 (m,)
        Length in pixels of each boundary, mean strength, and the saliency of the contour it belongs to, from 0 up.
    starts, nodes, edges : int64
        See `Neighbours`.
    areas, rows, cols, perimeters, framed : float64 (n,)
        Pixels, middle, boundary without the frame, and pixels on the frame.
    means : float64 (n, 3)
        Mean colours.
    colors : float32 (n, k)
        Shares of the typical colours, blended.
    textures : float32 (n, t)
        Shares of the kinds of texture.
    ground : float64 (n,)
        How much a superpixel hangs together with the frame, from 0 up.
    from_frame : float64 (3, n)
        Distance from the frame: along a way, its strongest edge, its most salient contour.
    sharpness : float64 (1,)
        See `cut_band`.
    """

    shape: Ints
    image: RGBImage
    small: RGBImage
    lab: npt.NDArray[np.float32]
    superpixels: LabelMap
    palette: npt.NDArray[np.uint8]
    blending: npt.NDArray[np.float32]
    ends: Ints
    lengths: Floats
    strengths: Floats
    heights: Floats
    starts: Ints
    nodes: Ints
    edges: Ints
    areas: Floats
    rows: Floats
    cols: Floats
    perimeters: Floats
    framed: Floats
    means: Floats
    colors: npt.NDArray[np.float32]
    textures: npt.NDArray[np.float32]
    ground: Floats
    from_frame: Floats
    sharpness: Floats

    @property
    def diagonal(self) -> float:
        """Of the image at the size at which clicks are answered, in pixels."""
        return math.hypot(*self.superpixels.shape)

    @property
    def graph(self) -> Neighbours:
        """Which superpixels touch."""
        return Neighbours(self.starts, self.nodes, self.edges)


def prepare(image: RGBImage, pixels: int = INNER_PIXELS, most_enlarged: float = MOST_ENLARGED) -> Prepared:
    """Find everything that depends on the image alone.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB.
    pixels : int
        Clicks are answered at about this size.
    most_enlarged : float
        If the image is smaller, it is enlarged up to so many times.

    Notes
    -----
    Cost: some 0.3 s, and a few milliseconds a megapixel.
    """
    height, width = image.shape[:2]
    working = working_size(height, width, WORKING_PIXELS)
    kept = shrink(image, *working) if working != (height, width) else np.array(image)
    small = _resize(kept, pixels, most_enlarged)
    lab = stretch(to_lab(small.astype(np.float32) * np.float32(1 / 255)))
    fine = np.asarray(cv2.resize(lab, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_LINEAR), np.float32)
    texture = textons(fine[:, :, 0])
    strength = boundary_strength(fine, texture)
    graph = build_graph(lab, strength, _as_large(texture, lab.shape[:2]))
    row, col = np.indices(lab.shape[:2], np.float32)
    means = np.stack([graph.mean(lab[:, :, part]) for part in range(3)], axis=1)
    coarse = replay(graph.merges, graph.areas.size, N_COARSE)[1:] - 1
    return Prepared(
        shape=np.array((height, width)), image=kept, small=small, lab=lab, superpixels=graph.numbers - 1,
        palette=graph.palette, blending=graph.blending, ends=graph.ends, lengths=graph.lengths,
        strengths=graph.strengths, heights=graph.heights, **graph.neighbours._asdict(), areas=graph.areas,
        rows=graph.mean(row), cols=graph.mean(col), perimeters=graph.perimeters, framed=graph.framed, means=means,
        colors=graph.colors, textures=graph.textures,
        ground=_ground(coarse, graph.ends, graph.areas, graph.framed, means),
        from_frame=np.stack(graph.distances(np.flatnonzero(graph.framed))),
        sharpness=np.array([_sharpness(lab)]),
    )  # fmt: skip


def _resize(image: RGBImage, pixels: int, most_enlarged: float) -> RGBImage:
    height, width = image.shape[:2]
    size = working_size(height, width, pixels, most_enlarged)
    way = cv2.INTER_AREA if max(size) < max(height, width) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size[::-1], interpolation=way), np.uint8).reshape(*size, 3)


def _as_large(texture: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    return np.asarray(cv2.resize(texture, shape[::-1], interpolation=cv2.INTER_NEAREST), np.int32).reshape(shape)


def _ground(group: npt.NDArray[np.int32], ends: Ints, areas: Floats, framed: Floats, means: Floats) -> Floats:
    """Measure how much of its surface's outline lies on the frame, for each superpixel.

    Boundary connectivity of W. Zhu, S. Liang, Y. Wei, J. Sun, CVPR 2014, doi:10.1109/CVPR.2014.360, on coarse regions.
    """
    count = int(group.max()) + 1
    area = np.bincount(group, weights=areas, minlength=count)
    on_frame = np.bincount(group, weights=framed, minlength=count)
    color = np.stack([np.bincount(group, weights=means[:, part] * areas) / area for part in range(3)], axis=1)
    pairs = np.unique(group[ends].reshape(-1, 2), axis=0).astype(np.int64)
    steps = np.maximum(0, np.linalg.norm(color[pairs[:, 0]] - color[pairs[:, 1]], axis=1) - SAME_COLOR)
    graph, everywhere = list_neighbours(pairs, count), np.ones(count, np.bool_)
    sums = np.stack([distances(graph, steps, np.array([node]), everywhere, 1e3) for node in range(count)])
    same = np.exp(-(sums**2) / (2 * SURFACE**2))
    return np.asarray(((same @ on_frame) / np.sqrt(same @ area))[group], np.float64)


def _sharpness(lab: npt.NDArray[np.float32]) -> float:
    """One over twice the mean squared colour difference of neighbours."""
    down, right = np.diff(lab, axis=0), np.diff(lab, axis=1)
    pairs = down.size + right.size
    squared = float((down**2).sum() + (right**2).sum()) / max(pairs / 3, 1)
    return 1 / (2 * squared + 1e-3)
