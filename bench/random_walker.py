"""The random walker beside scikit-image's with conjugate gradients: two to four labels, photographs and noise."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data
from skimage.segmentation import random_walker

from bench.harness import Row, WrongResultError
from prebrush.datatypes import LabelMap
from prebrush.segmentation.kernels import walking
from prebrush.segmentation.method import knobs_of
from prebrush.segmentation.methods.random_walker import Params

Pixels = npt.NDArray[np.uint8]
LEAST_AGREEMENT = 0.99
TOL = next(knob.default for knob in knobs_of(Params) if knob.name == "tol")


def rows() -> Iterator[Row]:
    walking.warm()
    astronaut, cat = skimage.data.astronaut(), skimage.data.chelsea()
    cat = np.pad(cat, [(0, 212), (0, 61), (0, 0)], mode="symmetric")
    yield walker_row("512 x 512 portrait, 2 labels, strokes and frame", astronaut, strokes(2))
    yield walker_row("512 x 512 portrait, 4 labels, strokes", astronaut, strokes(4))
    yield walker_row("512 x 512 cat, 3 labels, strokes", cat, strokes(3))
    for n_labels in (2, 3):
        image, seeds = noisy_blobs(n_labels)
        # nothing is far from a seed here, so that a few plain steps solve it: no bar
        yield walker_row(f"512 x 512 noisy blobs, {n_labels} labels", image, seeds, least_ratio=None)
    for repeats in (2, 4):
        yield growth_row(np.tile(astronaut, (repeats, repeats, 1)))


def strokes(n_labels: int) -> LabelMap:
    """Draw so many strokes over a portrait of 512 x 512 pixels; of two, the second is the frame as well."""
    seeds = np.zeros((512, 512), np.int32)
    ends = (((150, 480), (215, 40)), ((30, 60), (60, 440)), ((400, 40), (470, 220)), ((270, 460), (330, 330)))
    for number, (one, other) in enumerate(ends[:n_labels], start=1):
        cv2.line(seeds, one, other, number, 7)
    if n_labels == 2:
        for side in (seeds[0], seeds[-1], seeds[:, 0], seeds[:, -1]):
            side[side == 0] = 2
    return seeds


def noisy_blobs(n_labels: int) -> tuple[Pixels, LabelMap]:
    """Make scikit-image's own example for its walker, 8-bit: blobs in noise, the extreme values are the seeds."""
    blobs = skimage.data.binary_blobs(length=512, rng=1)
    values = blobs + np.random.default_rng(1).normal(0, 0.35, blobs.shape)
    image = np.clip((values + 0.35) / 1.7 * 255, 0, 255).round().astype(np.uint8)
    seeds = np.where(image < 7, 1, np.where(image > 248, 2, 0)).astype(np.int32)
    if n_labels == 3:
        seeds[:, 256:][seeds[:, 256:] == 2] = 3
    return image[..., None], seeds


def walker_row(name: str, image: Pixels, seeds: LabelMap, least_ratio: float | None = 100) -> Row:
    channels = {"channel_axis": -1} if image.shape[2] > 1 else {}
    data = image if channels else image[..., 0]

    def check(ours: LabelMap, reference: LabelMap) -> str:
        exact = random_walker(data, seeds, mode="bf", **channels)
        agreement, own, other = np.mean(ours == reference), np.mean(ours == exact), np.mean(reference == exact)
        quality = f"{agreement:.2%} the same; as the direct solution {own:.2%}, the reference {other:.2%}"
        # the reference ends early: where seeds are few it is further from the direct solution than that
        if agreement < LEAST_AGREEMENT and own < LEAST_AGREEMENT:
            raise WrongResultError(quality)
        return quality

    return Row(
        name="random walker",
        input=name,
        ours=lambda: walking.walk(image, seeds, 130.0, TOL),
        reference=lambda: random_walker(data, seeds, mode="cg_j", **channels),
        check=check,
        least_ratio=least_ratio,
        rounds=3,
    )


def growth_row(image: Pixels) -> Row:
    seeds = np.zeros(image.shape[:2], np.int32)
    seeds[0], seeds[-1], seeds[:, 0], seeds[:, -1] = 2, 2, 2, 2
    cv2.circle(seeds, (image.shape[1] // 2, image.shape[0] // 2), 200, 1, 9)

    def check(ours: LabelMap, _: None) -> str:
        if not np.array_equal(ours[seeds > 0], seeds[seeds > 0]):
            raise WrongResultError("seeds changed their labels")
        return "seeds kept"

    return Row(
        name="random walker",
        input=f"{seeds.size / 1e6:.1f} MP portraits, 2 labels",
        ours=lambda: walking.walk(image, seeds, 130.0, TOL),
        check=check,
    )
