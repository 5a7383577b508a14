"""How the cost of every method grows with the pixels, at full size and at the server's working size; drawn as a plot.

People get the working size, which bounds the cost; full size is for those who ask for it in Python, and there what no
longer fits the processor's caches costs more than its share.
"""

import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import cv2
import numpy as np
import skimage.data

from bench.harness import RESULTS, Row, WrongResultError, describe_machine
from bench.plotting import Line, draw_chart
from prebrush.datatypes import Prompt, RGBImage
from prebrush.segmentation import METHODS
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.method import Method
from prebrush.segmentation.pipeline import run as run_pipeline
from prebrush.warming import warm_kernels

MEGAPIXELS = (0.1, 0.3, 1, 3, 10, 25, 50)
LONGEST_S = 4.0
"""A size is left out if the one before lets expect that it takes longer."""
STEEPEST = 1.0
"""Most that the logarithm of the cost may grow with that of the pixels, from 1 megapixel on: linear is 1."""
ASPECT = 1.5

Curve = list[tuple[float, float]]


def rows() -> Iterator[Row]:
    warm_kernels()
    curves: dict[str, Curve] = {}
    for name, method in METHODS.items():
        yield growth_row(name, method, curves)
    lines = [Line(name, curve, dashed="served" in name) for name, curve in curves.items()]
    title = "Cost against pixels: methods at full size; dashed, auto at the server's working size of 1 megapixel"
    RESULTS.mkdir(exist_ok=True)
    svg = draw_chart(lines, title, "megapixels", "seconds of one core")
    (RESULTS / "growth.svg").write_text(svg.replace("<rect", f"<desc>{describe_machine()}</desc>\n<rect", 1))


def growth_row(name: str, method: Method[Any], curves: dict[str, Curve]) -> Row:
    """Measure one size as every other row does; the check measures all sizes."""

    def check(_: Any, __: None) -> str:
        full = curves[name] = measure(partial(alone, method))
        bounded = measure(partial(served, method))
        if name == "auto":
            curves["auto, served"] = bounded
        text = f"served, {tell(bounded)}; at full size, {tell(full)}"
        if power_of(bounded) > STEEPEST:
            raise WrongResultError(text)
        return text

    return Row("growth", f"{name}; served, 1 MP", lambda: served(method, 1), check, rounds=3)


def large_end(curve: Curve) -> tuple[tuple[float, float], tuple[float, float]]:
    """Give the first point from 1 megapixel on, and the last."""
    large = [point for point in curve if point[0] >= 1]
    return large[0], large[-1]


def power_of(curve: Curve) -> float:
    """Give the power of the pixels that the cost grows with."""
    (first, start), (last, end) = large_end(curve)
    return float(np.log(end / start) / np.log(last / first)) if last > first else 0.0


def tell(curve: Curve) -> str:
    (first, start), (last, end) = large_end(curve)
    return (
        f"from {first:g} to {last:g} MP {end / start:.3g} times the cost: pixels to the power of {power_of(curve):.2f}"
    )


def measure(work: Callable[[float], Any]) -> Curve:
    """Take the processor's time of each size, of small ones the least of three.

    Unlike the clock's it hardly depends on what else runs, and the slope is all that is wanted here.
    """
    curve: Curve = []
    for megapixels in MEGAPIXELS:
        if curve and curve[-1][1] * megapixels / curve[-1][0] > LONGEST_S:
            break
        times = []
        for _ in range(3 if megapixels <= 3 else 1):
            start = time.thread_time()
            work(megapixels)
            times.append(time.thread_time() - start)
        curve.append((megapixels, min(times)))
    return curve


def alone(method: Method[Any], megapixels: float) -> object:
    image = photo(megapixels)
    return method.segment(image, method.parse_params({}), marks(method, *image.shape[:2]))


def served(method: Method[Any], megapixels: float) -> object:
    image = photo(megapixels)
    return run_pipeline(image, method, method.parse_params({}), Cleanup(), marks(method, *image.shape[:2]))


@cache
def photo(megapixels: float) -> RGBImage:
    """Mirror a photograph until it has the size: its detail stays what it is."""
    height = round((megapixels * 1e6 / ASPECT) ** 0.5)
    width = round(megapixels * 1e6 / height)
    image = skimage.data.coffee()
    padding = ((0, max(0, height - image.shape[0])), (0, max(0, width - image.shape[1])), (0, 0))
    mirrored: RGBImage = np.ascontiguousarray(np.pad(image, padding, mode="symmetric")[:height, :width])
    mirrored.flags.writeable = False
    return mirrored


def marks(method: Method[Any], height: int, width: int) -> Prompt:
    """Mark the middle half, for the methods that need marks: by a box, else a stroke inside a frame, else a point."""
    if "points" in method.prompts and method.name == "auto":
        return Prompt()
    if "boxes" in method.prompts:
        return Prompt(boxes=((height // 4, width // 4, 3 * height // 4, 3 * width // 4),))
    if "scribble" in method.prompts:
        scribble = np.zeros((height, width), np.int8)
        scribble[[0, -1]] = scribble[:, [0, -1]] = -1
        cv2.line(scribble, (width // 3, height // 2), (2 * width // 3, height // 2), 1, max(1, height // 100))
        return Prompt(scribble=scribble)
    return Prompt(points=((height // 2, width // 2, True),)) if method.prompts else Prompt()
