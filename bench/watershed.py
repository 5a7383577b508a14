"""Flooding from markers beside scikit-image's watershed."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from skimage.segmentation import watershed

from bench.harness import Row, WrongResultError
from bench.images import mosaic, to_gray
from prebrush.datatypes import LabelMap, Mask
from prebrush.segmentation.kernels import flooding
from prebrush.segmentation.kernels.components import connected_components

Relief = npt.NDArray[np.uint16]
DISTINCT = 256
"""Side of the square that has as many pixels as a relief has levels."""
LEAST_AGREEMENT = 0.98


def rows() -> Iterator[Row]:
    flooding.warm()
    for megapixels in (1, 4):
        gray = to_gray(mosaic(megapixels)).astype(np.float32)
        smooth = cv2.GaussianBlur(gray, (0, 0), 2)
        slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
        relief = np.minimum(slope * 64, 65535).astype(np.uint16)
        minima = connected_components((cv2.erode(relief, np.ones((9, 9), np.uint8)) == relief).astype(np.int32))[0]
        yield flood_row(relief, minima, minima >= 0, f"{megapixels} MP mosaic, minima of the gradient")
        few = np.zeros_like(minima)
        few[25::50, 25::50] = np.arange(1, few[25::50, 25::50].size + 1).reshape(few[25::50, 25::50].shape)
        yield flood_row(relief, few, few >= 0, f"{megapixels} MP mosaic, a marker every 50 px")


def flood_row(relief: Relief, markers: LabelMap, mask: Mask, name: str) -> Row:
    def check(ours: LabelMap, reference: LabelMap) -> str:
        part = (slice(0, DISTINCT), slice(0, DISTINCT))
        ranks = np.argsort(np.argsort(relief[part], axis=None, kind="stable")).astype(np.uint16)
        ranks = ranks.reshape(DISTINCT, DISTINCT)
        if not np.array_equal(flooding.flood(ranks, markers[part], mask[part]), watershed(ranks, markers[part])):
            raise WrongResultError("not the same on distinct values")
        quality = f"identical on distinct values; with ties {np.mean(ours == reference):.2%} the same"
        if np.mean(ours == reference) < LEAST_AGREEMENT:
            raise WrongResultError(quality)
        return quality

    return Row(
        name="watershed",
        input=name,
        ours=lambda: flooding.flood(relief, markers, mask),
        reference=lambda: watershed(relief, markers),
        check=check,
        least_ratio=4,
        rounds=3,
    )
