"""Morphological contours beside scikit-image's, from the same start, with the same number of moves."""

from collections.abc import Iterator
from itertools import cycle

import numpy as np
from skimage.segmentation import (
    checkerboard_level_set,
    disk_level_set,
    inverse_gaussian_gradient,
    morphological_chan_vese,
    morphological_geodesic_active_contour,
    morphsnakes,
)

from bench.harness import Row, WrongResultError
from bench.images import mosaic, to_gray
from prebrush.datatypes import Mask
from prebrush.segmentation.kernels import snakes

LEAST_IOU = 0.98
MOVES = 10


def rows() -> Iterator[Row]:
    snakes.warm()
    for megapixels in (1, 4):
        gray = to_gray(mosaic(megapixels)) / 255.0
        yield chan_vese_row(gray, megapixels)
        for balloon in (-1.0, 0.0, 1.0):
            yield geodesic_row(gray, megapixels, balloon)


def check(ours: Mask, reference: Mask) -> str:
    quality = f"IoU {np.count_nonzero(ours & reference) / max(1, np.count_nonzero(ours | reference)):.4f}"
    if quality < f"IoU {LEAST_IOU:.4f}":
        raise WrongResultError(quality)
    return quality


def start_anew() -> None:
    """Let scikit-image begin with its first smoothing operator: it goes on from the call before."""
    both = (
        lambda inside: morphsnakes.sup_inf(morphsnakes.inf_sup(inside)),
        lambda inside: morphsnakes.inf_sup(morphsnakes.sup_inf(inside)),
    )
    morphsnakes._curvop.funcs = cycle(both)


def chan_vese_row(gray: np.ndarray, megapixels: int) -> Row:
    start, colors = checkerboard_level_set(gray.shape) > 0, gray.astype(np.float32)[..., None]

    def reference() -> Mask:
        start_anew()
        return morphological_chan_vese(gray, MOVES, start) > 0

    return Row(
        name="chan_vese",
        input=f"{megapixels} MP mosaic, {MOVES} moves",
        ours=lambda: snakes.chan_vese_snake(colors, start, MOVES, 1, 1.0, 1.0),
        reference=reference,
        check=check,
        least_ratio=5,
        rounds=3 if megapixels == 1 else 1,
    )


def geodesic_row(gray: np.ndarray, megapixels: int, balloon: float) -> Row:
    speed = inverse_gaussian_gradient(gray)
    start, ours_speed = disk_level_set(gray.shape) > 0, speed.astype(np.float32)

    def reference() -> Mask:
        start_anew()
        contour = morphological_geodesic_active_contour(speed, MOVES, start, threshold=0.7, balloon=balloon)
        return np.asarray(contour > 0)

    return Row(
        name="geodesic_contour",
        input=f"{megapixels} MP mosaic, {MOVES} moves, balloon {balloon:g}",
        ours=lambda: snakes.geodesic_snake(ours_speed, start, MOVES, 1, 0.7, balloon),
        reference=reference,
        check=check,
        least_ratio=5,
        rounds=3 if megapixels == 1 else 1,
    )
