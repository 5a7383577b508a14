"""Merging of superpixels into regions, against scikit-image's graph of mean colours merged from the nearest pair up."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np
from skimage import graph

from bench.felzenszwalb import mean_covering
from bench.ground_truth import read_group
from bench.harness import Row, WrongResultError
from bench.images import photograph
from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.boundary_strength import boundary_strength, textons
from prebrush.segmentation.color import to_lab
from prebrush.segmentation.hierarchy import merge_superpixels
from prebrush.segmentation.kernels import region_graph
from prebrush.segmentation.kernels.components import replace_numbers
from prebrush.segmentation.kernels.region_graph import replay
from prebrush.segmentation.methods import slic
from prebrush.segmentation.methods.region_merging import INNER_PIXELS
from prebrush.segmentation.scaling import shrink, working_size

N_SEGMENTS = 400
N_REGIONS = 100
"""About as many as the reference leaves in the photos."""
FURTHEST = 35
"""Distance of mean colours at which scikit-image's own example stops merging."""
OUR_STOPS, THEIR_STOPS = (5, 8, 12, 20), (35, 60, 90)
"""Numbers of regions left, and distances, that are tried on scenes."""


def rows() -> Iterator[Row]:
    region_graph.warm()
    for megapixels in (1, 4):
        image = photograph("coffee", megapixels)
        superpixels = cut(image)
        yield Row(
            name=f"region_merging, {N_SEGMENTS} superpixels",
            input=f"{megapixels} MP photo (coffee, mirrored), mean colours and graph included",
            ours=partial(ours, image, superpixels, N_REGIONS),
            reference=partial(theirs, image, superpixels),
            check=covered_no_less if megapixels == 1 else count_regions,
            least_ratio=50,
            rounds=3 if megapixels == 1 else 1,
        )


def cut(image: RGBImage) -> LabelMap:
    return slic.segment(image, slic.Params(N_SEGMENTS), Prompt())


def ours(image: RGBImage, superpixels: LabelMap, left: int) -> LabelMap:
    """Merge until so many regions are left, with all that the method looks at, at the size it works at."""
    height, width = working_size(*superpixels.shape, INNER_PIXELS)
    small = shrink(image, height, width)
    lab = to_lab(small.astype(np.float32) * np.float32(1 / 255))
    texture = textons(lab[:, :, 0])
    nearest = cv2.resize(superpixels, (width, height), interpolation=cv2.INTER_NEAREST)
    hierarchy = merge_superpixels(small, np.asarray(nearest, np.int32), texture, boundary_strength(lab, texture))
    return replace_numbers(superpixels, replay(hierarchy.merges, int(superpixels.max()), left))


def theirs(image: RGBImage, superpixels: LabelMap, furthest: float = FURTHEST) -> LabelMap:
    """Merge the two that are nearest in mean colour, until none are near."""

    def distance(regions: Any, _: int, kept: int, near: int) -> dict[str, float]:
        gap = regions.nodes[kept]["mean color"] - regions.nodes[near]["mean color"]
        return {"weight": float(np.linalg.norm(gap))}

    def join(regions: Any, gone: int, kept: int) -> None:
        node = regions.nodes[kept]
        for what in ("total color", "pixel count"):
            node[what] = node[what] + regions.nodes[gone][what]
        node["mean color"] = node["total color"] / node["pixel count"]

    colors = graph.rag_mean_color(image, superpixels)
    found = graph.merge_hierarchical(
        superpixels,
        colors,
        thresh=furthest,
        rag_copy=False,
        in_place_merge=True,
        merge_func=join,
        weight_func=distance,
    )
    return np.asarray(np.unique(found, return_inverse=True)[1].reshape(found.shape) + 1, np.int32)


def count_regions(found: LabelMap, reference: LabelMap) -> str:
    return f"{found.max()} regions, reference {reference.max()}"


def covered_no_less(found: LabelMap, reference: LabelMap) -> str:
    """Compare on scenes, from the same superpixels, each side where it stops best for all of them together."""
    text = count_regions(found, reference)
    scenes = read_group("bsds")
    if not scenes:
        return f"{text}; no shared scenes"
    truths = [drawn for _, drawn in scenes]
    pairs = [(image, cut(image)) for image, _ in scenes]
    covered = max(mean_covering([ours(*pair, left) for pair in pairs], truths) for left in OUR_STOPS)
    their_covering = max(mean_covering([theirs(*pair, stop) for pair in pairs], truths) for stop in THEIR_STOPS)
    text += f"; covering of scenes, each at its best, {covered:.3f}, reference {their_covering:.3f}"
    if covered < their_covering:
        raise WrongResultError(text)
    return text
