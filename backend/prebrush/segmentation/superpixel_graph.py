"""Superpixels of an image as a graph: their colours, the edges between them, and how salient each contour is."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Mask
from prebrush.segmentation.hierarchy import (
    PARTITION_SIGMA,
    SMALLEST_SHARE,
    WEIGHTS,
    edge_strengths,
    find_superpixels,
    tally,
)
from prebrush.segmentation.kernels.clustering import cluster
from prebrush.segmentation.kernels.gaussian import blur_colors
from prebrush.segmentation.kernels.graph_merging import merge_at_scales
from prebrush.segmentation.kernels.nearest import nearest_center
from prebrush.segmentation.kernels.region_graph import Evidence, merge_regions, region_graph
from prebrush.segmentation.kernels.region_paths import (
    Floats,
    Ints,
    Neighbours,
    distances,
    joining_heights,
    list_neighbours,
)

SCALES = (200, 400, 800, 1600)
"""Of Felzenszwalb and Huttenlocher's partitions. Twice as many as a whole image is divided by: how salient a contour is
counts in every click, where things of any size are asked for."""
MERGING = WEIGHTS._replace(tallies=(0.9, 1.5) + (0.65,) * len(SCALES))
MOST_STRETCHED, MOST_SATURATED = 6.0, 2.0
"""Dim or flat images are stretched to the full range of lightness, at most so many times, and colours with them."""
TAILS = (0.5, 99.5)
"""Percentiles of lightness that are stretched to black and white."""
N_COLORS = 48
COLOR_STARTS, COLOR_ROUNDS = 1, 4
"""Of k-means: the colours are blended anyway."""
SAMPLED_PIXELS = 4000
COLOR_SPREAD = 10.0
"""Standard deviation, in CIE Lab, of the colours that count as much the same."""
FAR, FAR_HIGHEST, FAR_HEIGHT = 60.0, 4.0, 9.0
"""Longest distances that are told apart: along a way, its strongest edge, its most salient contour."""
STEP = 0.05
"""Length of a step within a plain; edges add their strength."""
LOWEST_HEIGHT = -2.0
"""Cost of a merge between regions that are alike."""


class SuperpixelGraph(NamedTuple):
    """n superpixels, m pairs of them that touch.

    Attributes
    ----------
    numbers : int32 (h, w)
        1..n.
    ends : int64 (m, 2)
        Counted from 0.
    neighbours : Neighbours
    lengths, strengths, heights : float64 (m,)
        Length in pixels of each boundary, mean strength, and the saliency of the contour it belongs to, from 0 up.
    areas, perimeters, framed : float64 (n,)
        Pixels, boundary without the frame, and pixels on the frame.
    palette : uint8 (h, w)
        The nearest of k typical colours.
    blending : float32 (k, k)
        How much each colour counts as each other; rows sum to 1.
    colors : float32 (n, k)
        Shares of the typical colours, blended.
    textures : float32 (n, t)
        Shares of the kinds of texture; of none where none are given.
    merges : int64
        In which order they are merged, see `merge_regions`.
    """

    numbers: LabelMap
    ends: Ints
    neighbours: Neighbours
    lengths: Floats
    strengths: Floats
    heights: Floats
    areas: Floats
    perimeters: Floats
    framed: Floats
    palette: npt.NDArray[np.uint8]
    blending: npt.NDArray[np.float32]
    colors: npt.NDArray[np.float32]
    textures: npt.NDArray[np.float32]
    merges: Ints

    def mean(self, values: npt.NDArray[np.generic]) -> Floats:
        """Average the values of pixels, (h, w), over each superpixel: float64 (n,)."""
        sums = np.bincount((self.numbers - 1).ravel(), weights=values.ravel(), minlength=self.areas.size)
        return np.asarray(sums / self.areas, np.float64)

    def distances(self, sources: Ints) -> tuple[Floats, Floats, Floats]:
        """Measure how far each superpixel is from some, wherever the way leads; see `measure_distances`."""
        everywhere = np.ones(self.areas.size, np.bool_)
        return measure_distances(self.neighbours, self.strengths, self.heights, sources, everywhere)


def build_graph(
    lab: npt.NDArray[np.float32], strength: npt.NDArray[np.float32], texture: npt.NDArray[np.int32] | None = None
) -> SuperpixelGraph:
    """Find the superpixels of an image and all that is known of them.

    Parameters
    ----------
    lab : float32 (h, w, 3)
        From `stretch`.
    strength : float32 (directions, any, any)
        From `boundary_strength` or `color_strength`.
    texture : int32 (h, w), optional
        Kinds of texture from 0. Without it, colours alone tell which regions are alike.
    """
    numbers = find_superpixels(lab, strength.max(axis=0))
    count = int(numbers.max())
    graph = region_graph(numbers, count)
    summed = edge_strengths(graph, strength, numbers.shape)
    palette, blending, typical = _colors(lab, numbers, count)
    areas = np.bincount((numbers - 1).ravel(), minlength=count).astype(np.float64)
    perimeters = np.bincount(graph.nodes.ravel(), np.repeat(graph.lengths, 2), count).astype(np.float64)
    textures = np.zeros((count, 0), np.float32) if texture is None else tally(numbers, texture, count)
    tallies = (*((textures,) if texture is not None else ()), typical, *_partitions(lab, numbers, count))
    # what tells textures apart is the first
    weights = MERGING._replace(tallies=MERGING.tallies[-len(tallies) :])
    merges, costs = merge_regions(graph, Evidence(areas, perimeters, tallies, summed), weights)
    frame = np.concatenate((numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]))
    return SuperpixelGraph(
        numbers=numbers, ends=graph.nodes, neighbours=list_neighbours(graph.nodes, count), lengths=graph.lengths,
        strengths=summed / graph.lengths,
        heights=np.maximum(joining_heights(graph.nodes, merges, costs, count), LOWEST_HEIGHT) - LOWEST_HEIGHT,
        areas=areas, perimeters=perimeters, framed=np.bincount(frame - 1, minlength=count).astype(np.float64),
        palette=palette, blending=blending,
        colors=np.asarray(typical / areas[:, None], np.float32) @ blending[: typical.shape[1]],
        textures=np.asarray(textures / areas[:, None], np.float32), merges=merges,
    )  # fmt: skip


def measure_distances(
    graph: Neighbours, strengths: Floats, heights: Floats, sources: Ints, allowed: Mask
) -> tuple[Floats, Floats, Floats]:
    """Measure how far each superpixel is from the sources, in three ways.

    Returns
    -------
    along : float64 (n,)
        Sum of the edges' strengths along the shortest way.
    highest : float64 (n,)
        Strongest edge that must be crossed.
    salience : float64 (n,)
        Most salient contour that must be crossed.
    """
    return (
        distances(graph, strengths + STEP, sources, allowed, FAR),
        distances(graph, strengths, sources, allowed, FAR_HIGHEST, highest=True),
        distances(graph, heights, sources, allowed, FAR_HEIGHT, highest=True),
    )


def stretch(lab: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Stretch the colours of a dim or flat image, float32 (h, w, 3)."""
    low, high = np.percentile(lab[:, :, 0], TAILS)
    gain = min(MOST_STRETCHED, 100 / max(high - low, 1.0))
    stretched = lab * np.float32(min(gain, MOST_SATURATED))
    stretched[:, :, 0] = np.clip((lab[:, :, 0] - low) * gain, 0, 100)
    return stretched


def _partitions(lab: npt.NDArray[np.float32], numbers: LabelMap, count: int) -> tuple[npt.NDArray[np.float32], ...]:
    """Tally where each superpixel lies in partitions as by `felzenszwalb`, as `region_merging` does."""
    scaled = lab * np.float32(2.55) + np.array((0, 128, 128), np.float32)
    picture = np.clip(scaled, 0, 255).astype(np.uint8)
    smallest = max(1, round(numbers.size * SMALLEST_SHARE))
    smooth = blur_colors(picture, PARTITION_SIGMA)
    found = merge_at_scales(smooth, [scale / 255 for scale in SCALES], smallest)
    return tuple(tally(numbers, partition - 1, count) for partition in found)


def _colors(
    lab: npt.NDArray[np.float32], numbers: LabelMap, count: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Find typical colours, how much each counts as each other, and how many pixels of each are in each superpixel."""
    points = np.ascontiguousarray(lab.reshape(-1, 3))
    sample = np.ascontiguousarray(points[:: max(1, len(points) // SAMPLED_PIXELS)])
    centers, _ = cluster(
        sample, np.ones(len(sample), np.float32), N_COLORS, 0, restarts=COLOR_STARTS, rounds=COLOR_ROUNDS
    )
    palette = nearest_center(points, centers).reshape(numbers.shape)
    squared = ((centers[:, None] - centers[None]) ** 2).sum(axis=2)
    blending = np.exp(-squared / np.float32(2 * COLOR_SPREAD**2)).astype(np.float32)
    blending /= blending.sum(axis=1, keepdims=True)
    return palette.astype(np.uint8), blending, tally(numbers, palette, count)
