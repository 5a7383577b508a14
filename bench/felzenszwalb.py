"""Felzenszwalb's method against scikit-image's: the same number of segments, and covering on scenes."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from skimage.segmentation import felzenszwalb

from bench.ground_truth import read_group
from bench.harness import Row, WrongResultError
from bench.images import photograph
from prebrush.datatypes import LabelMap, RGBImage
from prebrush.evaluation.metrics import count_overlaps, covering
from prebrush.segmentation import METHODS

METHOD = METHODS["felzenszwalb"]
KNOBS = {"scale": 600, "sigma": 0.8, "min_size": 100}


def rows() -> Iterator[Row]:
    for name, megapixels in (("coffee", 1), ("astronaut", 1), ("coffee", 4)):
        image = photograph(name, megapixels)
        yield Row(
            name="felzenszwalb",
            input=f"{name}, {megapixels} MP, scale 600",
            ours=partial(ours, image),
            reference=partial(reference, image),
            check=same_count,
            least_ratio=12,
            rounds=5 if megapixels == 1 else 3,
        )
    scenes = read_group("bsds")
    if scenes:
        images = [image for image, _ in scenes]
        yield Row(
            name="felzenszwalb",
            input=f"{len(scenes)} scenes of 0.15 MP",
            ours=lambda: [ours(image) for image in images],
            reference=lambda: [reference(image) for image in images],
            check=lambda found, expected: not_lower(found, expected, [truths for _, truths in scenes]),
            rounds=3,
        )


def ours(image: RGBImage) -> LabelMap:
    return METHOD.segment(image, METHOD.parse_params(KNOBS)).label_map


def reference(image: RGBImage) -> LabelMap:
    return np.asarray(felzenszwalb(image, **KNOBS), np.int32) + 1


def same_count(found: LabelMap, expected: LabelMap) -> str:
    counts = f"{found.max()} segments, reference {expected.max()}"
    if abs(found.max() / expected.max() - 1) > 0.03:
        raise WrongResultError(counts)
    return counts


def not_lower(found: list[LabelMap], expected: list[LabelMap], truths: list[tuple[LabelMap, ...]]) -> str:
    figures = f"covering {mean_covering(found, truths):.3f}, reference {mean_covering(expected, truths):.3f}"
    if mean_covering(found, truths) < mean_covering(expected, truths) - 0.001:
        raise WrongResultError(figures)
    return figures


def mean_covering(found: list[LabelMap], truths: list[tuple[LabelMap, ...]]) -> float:
    """Average the covering over annotators, then over images."""
    pairs = zip(found, truths, strict=True)
    return float(np.mean([np.mean([covering(count_overlaps(truth, one)) for truth in maps]) for one, maps in pairs]))
