"""Superpixels along the strongest boundaries of an image, and the order in which they merge into one.

What `region_merging` cuts at a number of regions, and what clicks pick from.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, RGBImage
from prebrush.segmentation.boundary_strength import DIRECTIONS, SHRUNK, boundary_strength, color_gradient, textons
from prebrush.segmentation.color import to_lab
from prebrush.segmentation.kernels.clustering import cluster
from prebrush.segmentation.kernels.color_bins import color_bins, look_up
from prebrush.segmentation.kernels.components import areas_of, connected_components, keep_numbers, replace_numbers
from prebrush.segmentation.kernels.flooding import flood
from prebrush.segmentation.kernels.gaussian import blur_colors
from prebrush.segmentation.kernels.graph_merging import merge_at_scales
from prebrush.segmentation.kernels.region_graph import (
    Evidence,
    RegionGraph,
    Weights,
    count_values,
    merge_regions,
    region_graph,
    replay,
)

N_COLORS = 32
"""Of the palette in which the colours of regions are compared."""
PALETTE_STARTS, PALETTE_ROUNDS = 2, 4
"""Of k-means: the exact place of a colour does not matter."""
SCALES = (300, 1000)
"""Of Felzenszwalb and Huttenlocher's partitions that are joined in. More of them cost more and tell nothing new."""
PARTITION_SIGMA = 0.8
SMALLEST_SHARE = 1 / 1000
"""Smallest segment of those partitions, as a share of the image."""
WEIGHTS = Weights(boundary=1.8, tallies=(0.9, 1.5, 1.3, 1.3), size=0.4, contact=-0.8)
"""Rounded from a logistic regression on whether people part two regions, over regions of all sizes; the tallies are of
textures, colours and those partitions."""
FINE_WEIGHT = 0.05
"""Of the plain gradient, in Lab units a pixel, beside boundary strength: it puts boundaries on the exact pixel."""
STRONGEST = 4.0
"""Relief that all higher ones are taken for."""
ALONG = 0.75
"""Share of a boundary's strength that is measured in its own direction; the rest is in the strongest one."""
SHORTEST = 4
"""Boundaries of fewer pixels have no direction."""


class Hierarchy(NamedTuple):
    """Superpixels and the order in which they merge.

    Attributes
    ----------
    superpixels : int32 (H, W)
        Numbers 1..n.
    n_superpixels : int
    merges : int64 (n - 1, 2)
        See `merge_regions`.
    costs : float64 (n - 1,)
    """

    superpixels: LabelMap
    n_superpixels: int
    merges: npt.NDArray[np.int64]
    costs: npt.NDArray[np.float64]

    def cut(self, left: int) -> LabelMap:
        """Return int32 (H, W), the regions when so many are left, 1..n."""
        return replace_numbers(self.superpixels, replay(self.merges, self.n_superpixels, left))


def build_hierarchy(image: RGBImage) -> Hierarchy:
    """Find the superpixels of an image and the order in which they merge into one.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB.
    """
    lab = to_lab(image.astype(np.float32) * np.float32(1 / 255))
    texture = textons(lab[:, :, 0])
    strength = boundary_strength(lab, texture)
    return merge_superpixels(image, find_superpixels(lab, strength.max(axis=0)), texture, strength)


def merge_superpixels(
    image: RGBImage, superpixels: LabelMap, texture: npt.NDArray[np.uint8], strength: npt.NDArray[np.float32]
) -> Hierarchy:
    """Find the order in which superpixels merge into one.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB.
    superpixels : int32 (H, W)
        Numbers 1..n.
    texture, strength
        From `textons` and `boundary_strength`.
    """
    count = int(superpixels.max())
    graph = region_graph(superpixels, count)
    smooth = blur_colors(image, PARTITION_SIGMA)
    smallest = max(1, round(superpixels.size * SMALLEST_SHARE))
    partitions = merge_at_scales(smooth, [scale / 255 for scale in SCALES], smallest)
    maps = [_enlarge_texture(texture, superpixels.shape), _palette(image)] + [part - 1 for part in partitions]
    ends = np.bincount(graph.nodes.ravel(), weights=np.repeat(graph.lengths, 2), minlength=count)
    evidence = Evidence(
        area=areas_of(superpixels, count)[1:].astype(np.float64),
        perimeter=ends.astype(np.float64),
        tallies=tuple(tally(superpixels, values, count) for values in maps),
        strength=edge_strengths(graph, strength, superpixels.shape),
    )
    merges, costs = merge_regions(graph, evidence, WEIGHTS)
    return Hierarchy(superpixels, count, merges, costs)


def find_superpixels(lab: npt.NDArray[np.float32], strength: npt.NDArray[np.float32]) -> LabelMap:
    """Return the basins of boundary strength, int32 (H, W), 1..n; each lowest place or plain makes one."""
    height, width = lab.shape[:2]
    relief = cv2.resize(strength, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width)
    relief = cv2.GaussianBlur(relief + FINE_WEIGHT * color_gradient(lab), (0, 0), 1.0).reshape(height, width)
    levels = np.minimum(relief * (65535 / STRONGEST), 65535).astype(np.uint16)
    # coarse steps, so that noise in a plain makes no basins
    steps = (levels >> 6).astype(np.uint16)
    has_lower = cv2.erode(steps, np.ones((3, 3), np.uint8)).reshape(height, width) < steps
    plains, _ = connected_components(steps.astype(np.int32), with_background=True)
    lowest = np.bincount(plains.ravel(), weights=has_lower.ravel()) == 0
    return flood(levels, keep_numbers(plains, lowest), np.ones((height, width), np.bool_))


def _palette(image: RGBImage) -> npt.NDArray[np.int32]:
    """Sort the pixels into the image's own `N_COLORS` colours, int32 (H, W) from 0."""
    colors, weights, places = color_bins(image)
    lab = to_lab(colors[None] / np.float32(255))[0]
    _, owner = cluster(lab, weights, N_COLORS, 0, restarts=PALETTE_STARTS, rounds=PALETTE_ROUNDS)
    return look_up(image, places, owner)


def _enlarge_texture(texture: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Bring textons to full size, each on a square of pixels."""
    enlarged = cv2.resize(texture, None, fx=SHRUNK, fy=SHRUNK, interpolation=cv2.INTER_NEAREST)
    return np.asarray(enlarged.reshape(texture.shape[0] * SHRUNK, -1)[: shape[0], : shape[1]], np.int32)


def tally(superpixels: LabelMap, values: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.float32]:
    """Count each value in each superpixel: float32 (count, highest value + 1)."""
    return count_values(superpixels, values, count).astype(np.float32)


def edge_strengths(
    graph: RegionGraph, strength: npt.NDArray[np.float32], shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Sum boundary strength along each edge, measured mostly in the direction in which that boundary runs."""
    if graph.lengths.size == 0:
        return np.zeros(0)
    down = graph.rows - graph.mean(graph.rows)[graph.edge_of]
    right = graph.cols - graph.mean(graph.cols)[graph.edge_of]
    # main axis of the boundary's points; angles count counter-clockwise, rows downwards
    angle = -0.5 * np.arctan2(2 * graph.mean(right * down), graph.mean(right**2) - graph.mean(down**2))
    direction = np.round(angle * (DIRECTIONS / np.pi)).astype(np.intp) % DIRECTIONS
    _, small_height, small_width = strength.shape
    row = np.minimum(graph.rows * small_height / shape[0], small_height - 1).astype(np.intp)
    col = np.minimum(graph.cols * small_width / shape[1], small_width - 1).astype(np.intp)
    strongest = graph.mean(strength.max(axis=0)[row, col])
    along = graph.mean(strength[direction[graph.edge_of], row, col])
    mean = np.where(graph.lengths < SHORTEST, strongest, ALONG * along + (1 - ALONG) * strongest)
    return np.asarray(mean * graph.lengths, np.float64)
