"""Superpixels, the normalized cut of their graph, and mean shift, against scikit-image and OpenCV."""

import os
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from skimage import graph, segmentation

from bench.harness import Row, WrongResultError
from bench.images import photograph
from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.evaluation.datasets import read_dataset
from prebrush.evaluation.metrics import boundary_of, count_overlaps, covering
from prebrush.segmentation.color import to_lab
from prebrush.segmentation.methods import mean_shift, normalized_cut, slic

SHARED = Path(os.environ.get("PREBRUSH_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
N_SEGMENTS = 400
COMPACTNESS = 20.0
TOLERANCE = 2
"""Pixels between a true boundary and a found one."""
LEVEL_RECALL = 0.005
"""Boundary recall that is no difference: a hundredth of what one annotator's recall varies by."""


def rows() -> Iterator[Row]:
    for megapixels in (1, 4):
        image = photograph("coffee", megapixels)
        yield Row(
            name=f"slic, {N_SEGMENTS} segments",
            input=f"{megapixels} MP photo (coffee, mirrored)",
            ours=partial(our_slic, image, N_SEGMENTS),
            reference=partial(their_slic, image, N_SEGMENTS),
            check=cut_no_worse if megapixels == 1 else count_segments,
            least_ratio=8,
            rounds=5,
        )
    yield cut_row()
    yield Row(
        name="mean_shift",
        input="1 MP photo (coffee, mirrored); reference is OpenCV's filtering alone, no pyramid, radii 16 and 10",
        ours=partial(mean_shift.segment, photograph("coffee", 1), mean_shift.Params(), Prompt()),
        reference=partial(their_filtering, photograph("coffee", 1)),
        check=mean_shift_quality,
        limit_ms=1000,
        rounds=3,
    )


def our_slic(image: RGBImage, n_segments: int) -> LabelMap:
    return slic.segment(image, slic.Params(n_segments, COMPACTNESS), Prompt())


def their_slic(image: RGBImage, n_segments: int) -> LabelMap:
    found: LabelMap = segmentation.slic(image, n_segments=n_segments, compactness=COMPACTNESS).astype(np.int32)
    return found


def cut_row() -> Row:
    """Measure from superpixels to regions: mean colours and graph included, on both sides."""
    image = photograph("coffee", 1)
    superpixels = our_slic(image, N_SEGMENTS)
    return Row(
        name=f"normalized_cut, {N_SEGMENTS} superpixels",
        input="1 MP photo (coffee, mirrored), mean colours and graph included",
        ours=partial(our_cut, image, superpixels),
        reference=partial(their_cut, image, superpixels),
        check=covered_no_less,
        least_ratio=20,
        rounds=3,
    )


def our_cut(image: RGBImage, superpixels: LabelMap) -> LabelMap:
    lab = to_lab(image.astype(np.float32) * np.float32(1 / 255))
    knobs = normalized_cut.Params()
    colors = normalized_cut.mean_colors(superpixels, lab)
    owner = normalized_cut.cut_superpixels(superpixels, colors, knobs.threshold, knobs.n_regions)
    return np.asarray(owner[superpixels - 1] + 1, np.int32)


def their_cut(image: RGBImage, superpixels: LabelMap) -> LabelMap:
    likeness = graph.rag_mean_color(image, superpixels, mode="similarity")
    found = graph.cut_normalized(superpixels, likeness, rng=0)
    return np.asarray(np.unique(found, return_inverse=True)[1].reshape(found.shape) + 1, np.int32)


def their_filtering(image: RGBImage) -> Any:
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    return cv2.pyrMeanShiftFiltering(lab, 16, 10 * 255 / 100, maxLevel=0)


@cache
def scenes() -> tuple[tuple[RGBImage, tuple[LabelMap, ...]], ...]:
    """Read the shared natural scenes with what people drew; none where they are not there."""
    if not (SHARED / "manifest.json").is_file():
        return ()
    items = [item for item in read_dataset(SHARED) if item.group == "bsds"]
    return tuple((np.array(Image.open(item.image).convert("RGB")), item.read_truths()) for item in items)


def mean_covering(find: Callable[[RGBImage], LabelMap]) -> float:
    figures = []
    for image, truths in scenes():
        found = find(image)
        figures.append(np.mean([covering(count_overlaps(truth, found)) for truth in truths]))
    return float(np.mean(figures))


def under_segmentation_error(truth: LabelMap, found: LabelMap) -> float:
    """Share of the pixels on the smaller side of a true boundary that runs through a superpixel."""
    overlaps = count_overlaps(truth, found)
    return float(np.minimum(overlaps.shared, overlaps.found_areas[overlaps.found] - overlaps.shared).sum() / truth.size)


def boundary_recall(truth: LabelMap, found: LabelMap) -> float:
    side = 2 * TOLERANCE + 1
    near = cv2.dilate(boundary_of(found).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    edges = boundary_of(truth)
    return float(np.count_nonzero(edges & near) / max(1, np.count_nonzero(edges)))


def count_segments(ours: LabelMap, theirs: LabelMap) -> str:
    return f"{ours.max()} segments, reference {theirs.max()}"


def cut_no_worse(ours: LabelMap, theirs: LabelMap) -> str:
    """Compare on the shared scenes at the reference's own number of segments, which is lower than asked for."""
    text = count_segments(ours, theirs)
    if not scenes():
        return f"{text}; no shared scenes"
    table = []
    for image, truths in scenes():
        reference = their_slic(image, N_SEGMENTS)
        found = our_slic(image, int(reference.max()))
        table += [
            [measure(truth, label_map) for label_map in (found, reference)
             for measure in (under_segmentation_error, boundary_recall)]
            for truth in truths
        ]  # fmt: skip
    error, recall, their_error, their_recall = np.mean(table, axis=0)
    text += (
        f"; scenes at equal number: under-segmentation {error:.3f}, reference {their_error:.3f}; "
        f"boundary recall {recall:.3f}, reference {their_recall:.3f}"
    )
    if error > their_error or recall < their_recall - LEVEL_RECALL:
        raise WrongResultError(text)
    return text


def covered_no_less(ours: LabelMap, theirs: LabelMap) -> str:
    text = f"{ours.max()} regions, reference {theirs.max()}"
    if not scenes():
        return f"{text}; no shared scenes"
    found = mean_covering(lambda image: our_cut(image, our_slic(image, N_SEGMENTS)))
    reference = mean_covering(lambda image: their_cut(image, their_slic(image, N_SEGMENTS)))
    text += f"; covering of scenes {found:.3f}, reference {reference:.3f}"
    if found < reference:
        raise WrongResultError(text)
    return text


def mean_shift_quality(ours: LabelMap, _: Any) -> str:
    text = f"{ours.max()} segments"
    if not scenes():
        return f"{text}; no shared scenes"
    found = mean_covering(lambda image: mean_shift.segment(image, mean_shift.Params(), Prompt()))
    return f"{text}; covering of scenes {found:.3f} with defaults"
