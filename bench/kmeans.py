"""k-means of colours, against OpenCV's on all pixels: k-means++, ten iterations, in Lab."""

from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np

from bench.harness import Row, WrongResultError
from bench.images import photograph
from prebrush.datatypes import LabelMap, RGBImage
from prebrush.segmentation import METHODS
from prebrush.segmentation.color import to_lab

METHOD = METHODS["kmeans"]
N_CLUSTERS = 5
ITERATIONS = 10
LARGER = 0.01
"""By how much the sum of squares may be larger than the reference's, as a share."""


def rows() -> Iterator[Row]:
    for name, megapixels in (("coffee", 1), ("astronaut", 1), ("coffee", 4)):
        image = photograph(name, megapixels)
        yield Row(
            name=f"kmeans, k = {N_CLUSTERS}, Lab",
            input=f"{name}, {megapixels} MP; OpenCV with {ITERATIONS} iterations",
            ours=partial(ours, image),
            reference=partial(theirs, image),
            check=partial(as_tight, image),
            least_ratio=10,
            rounds=5 if megapixels == 1 else 3,
        )


def ours(image: RGBImage) -> LabelMap:
    return METHOD.segment(image, METHOD.parse_params({"n_clusters": N_CLUSTERS, "color_space": "lab"})).label_map


def theirs(image: RGBImage) -> LabelMap:
    cv2.setRNGSeed(0)
    points = to_lab(image.astype(np.float32) * np.float32(1 / 255)).reshape(-1, 3)
    ends = (cv2.TERM_CRITERIA_MAX_ITER, ITERATIONS, 0.0)
    _, owner, _ = cv2.kmeans(points, N_CLUSTERS, np.empty(0, np.int32), ends, 1, cv2.KMEANS_PP_CENTERS)
    return np.asarray(owner.reshape(image.shape[:2]) + 1, np.int32)


def sum_of_squares(image: RGBImage, label_map: LabelMap) -> float:
    """Add up the squared distances to the mean colour of each cluster, over the pixels."""
    points = to_lab(image.astype(np.float32) * np.float32(1 / 255)).reshape(-1, 3).astype(np.float64)
    total = 0.0
    for number in range(1, int(label_map.max()) + 1):
        own = points[label_map.ravel() == number]
        total += float(((own - own.mean(axis=0)) ** 2).sum()) if len(own) else 0.0
    return total


def as_tight(image: RGBImage, found: LabelMap, reference: LabelMap) -> str:
    share = sum_of_squares(image, found) / sum_of_squares(image, reference) - 1
    text = f"sum of squares {share:+.2%} beside the reference's"
    if share > LARGER:
        raise WrongResultError(text)
    return text
