"""Thresholds of 8-bit images beside scikit-image's, histogram included."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from skimage import filters

from bench.harness import Row, WrongResultError
from bench.images import mosaic, to_gray
from prebrush.datatypes import GrayImage
from prebrush.segmentation.kernels import histogram as histograms
from prebrush.segmentation.kernels import histogram_modes
from prebrush.segmentation.multilevel import find_thresholds
from prebrush.segmentation.thresholds import RULES, find_threshold, mean_level


def rows() -> Iterator[Row]:
    histograms.warm()
    histogram_modes.warm()
    for megapixels in (1, 4):
        gray = to_gray(mosaic(megapixels))
        for rule in RULES:
            yield rule_row(rule, gray, megapixels)
        for n_classes, least_ratio in ((4, 10), (5, 500)):
            yield levels_row(n_classes, least_ratio, gray, megapixels)


def check(ours: Any, reference: Any) -> str:
    if not np.array_equal(ours, reference):
        raise WrongResultError(f"{ours}, the reference {reference}")
    return f"identical: {np.array2string(np.asarray(ours), precision=2)}"


def rule_row(rule: str, gray: GrayImage, megapixels: int) -> Row:
    theirs = getattr(filters, f"threshold_{rule}")
    return Row(
        name=f"threshold, {rule}",
        input=f"{megapixels} MP mosaic",
        ours=(lambda: mean_level(gray)) if rule == "mean" else lambda: find_threshold(histograms.histogram(gray), rule),
        reference=lambda: theirs(gray),
        check=check,
        least_ratio=4,
    )


def levels_row(n_classes: int, least_ratio: float, gray: GrayImage, megapixels: int) -> Row:
    return Row(
        name=f"multi_otsu, {n_classes} classes",
        input=f"{megapixels} MP mosaic",
        ours=lambda: find_thresholds(histograms.histogram(gray), n_classes)[0],
        reference=lambda: tuple(filters.threshold_multiotsu(gray, classes=n_classes).tolist()),
        check=check,
        least_ratio=least_ratio,
        rounds=3 if n_classes < 5 else 1,
    )
