"""GrabCut from a loose box, against OpenCV's with 5 iterations: time and, on real objects, IoU with the truth."""

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bench.harness import Row, WrongResultError
from bench.images import photograph
from prebrush.datatypes import Mask, Prompt, RGBImage
from prebrush.segmentation import METHODS

SHARED = Path(os.environ.get("PREBRUSH_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""Real objects with ground truth; their rows are left out where they are not at hand."""

ITERATIONS = 5
LOWER = 0.01
"""By how much the mean IoU may be lower than the reference's."""

Box = tuple[int, int, int, int]
Case = tuple[RGBImage, Box, Mask, Mask]
"""Image, loose box, object, and the pixels on which the annotators agree."""

PHOTOS = {"astronaut": (0, 5, 512, 460), "coffee": (5, 60, 400, 490)}
"""A box (top, left, bottom, right) in each photo."""


def rows() -> Iterator[Row]:
    for name, box in PHOTOS.items():
        image = photograph(name, 1)
        yield Row(
            name="grabcut from a box",
            input=f"{name}, mirrored to 1 MP; OpenCV with {ITERATIONS} iterations",
            ours=partial(solve, image, box),
            reference=partial(solve_with_opencv, image, box),
            check=lambda ours, reference: f"IoU with the reference's mask {iou(ours, reference):.3f}",
            least_ratio=15,
            rounds=3,
        )
    if not (SHARED / "manifest.json").is_file():
        return
    for domain, title in (("objects", "objects"), ("wbc", "white blood cells")):
        for share in (0.1, 0.15):
            cases = list(read_cases(domain, share))
            source = f"{len(cases)} {title}, boxes loose by {share:.0%}"
            yield compare("grabcut from boxes", source, cases, least_ratio=None, limit_ms=120 * len(cases))
            if domain == "objects" and share == 0.1:
                large = [enlarge(case) for case in cases]
                yield compare("grabcut from boxes", f"{source}, enlarged to 1 MP", large, least_ratio=15, limit_ms=None)


def compare(name: str, source: str, cases: list[Case], *, least_ratio: float | None, limit_ms: float | None) -> Row:
    return Row(
        name=name,
        input=f"{source}; OpenCV with {ITERATIONS} iterations",
        ours=lambda: [solve(image, box) for image, box, _, _ in cases],
        reference=lambda: [solve_with_opencv(image, box) for image, box, _, _ in cases],
        check=partial(same_quality, cases),
        least_ratio=least_ratio,
        limit_ms=limit_ms,
        rounds=3 if limit_ms else 1,
    )


def read_cases(domain: str, share: float) -> Iterator[Case]:
    """Read images and objects; boxes are grown by a share of their sides."""
    for item in json.loads((SHARED / "manifest.json").read_text())["items"]:
        if item["domain"] != domain:
            continue
        with Image.open(SHARED / item["image"]) as image, Image.open(SHARED / item["masks"][0]) as truth:
            pixels, numbers = np.array(image.convert("RGB")), np.array(truth)
        agreed = numbers != 128 if domain == "objects" else np.ones(numbers.shape, np.bool_)
        mask = (numbers > 0) & agreed
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        top, left, bottom, right = int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1
        down, across = round((bottom - top) * share), round((right - left) * share)
        height, width = mask.shape
        box = max(0, top - down), max(0, left - across), min(height, bottom + down), min(width, right + across)
        yield pixels, box, mask, agreed


def enlarge(case: Case) -> Case:
    """Bring image, box and truth to a megapixel."""
    image, box, mask, agreed = case
    factor = (1_000_000 / mask.size) ** 0.5
    size = round(mask.shape[1] * factor), round(mask.shape[0] * factor)
    masks = [cv2.resize(plane.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0 for plane in (mask, agreed)]
    pixels = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    top, left, bottom, right = (round(edge * factor) for edge in box)
    return pixels, (top, left, min(bottom, size[1]), min(right, size[0])), masks[0], masks[1]


def solve(image: RGBImage, box: Box) -> Mask:
    method = METHODS["grabcut"]
    return method.segment(image, method.params_class(), Prompt(boxes=(box,))).label_map > 0


def solve_with_opencv(image: RGBImage, box: Box) -> Mask:
    top, left, bottom, right = box
    # OpenCV refuses the whole image
    left += (top, left, bottom, right) == (0, 0, *image.shape[:2])
    found = np.zeros(image.shape[:2], np.uint8)
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    area = left, top, right - left, bottom - top
    cv2.grabCut(image, found, area, models[0], models[1], ITERATIONS, cv2.GC_INIT_WITH_RECT)
    return (found == cv2.GC_FGD) | (found == cv2.GC_PR_FGD)


def iou(one: Mask, other: Mask) -> float:
    return np.count_nonzero(one & other) / max(1, np.count_nonzero(one | other))


def same_quality(cases: list[Case], ours: list[Mask], reference: list[Mask]) -> str:
    means = [
        float(np.mean([iou(mask & agreed, truth) for mask, (_, _, truth, agreed) in zip(masks, cases, strict=True)]))
        for masks in (ours, reference)
    ]
    text = f"mean IoU {means[0]:.3f}, reference {means[1]:.3f}"
    if means[0] < means[1] - LOWER:
        raise WrongResultError(text)
    return text
