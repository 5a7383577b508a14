"""Large images are segmented at a working size, and the label map is brought back to full size.

Knobs and marks are given in pixels of the full image: lengths (unit ``px``) shrink with the image, areas (``px²``) with
its square, so that a knob means the same whatever the working size.
"""

import dataclasses
import math
from typing import Any, TypeVar

import cv2
import numpy as np

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.kernels.boundaries import upscale
from prebrush.segmentation.method import knobs_of

WORKING_PIXELS = 1_000_000
"""Default working size: larger images are shrunk to about this many pixels."""

LONGEST = 16
"""Longest side, in sides of a square of the working size: a thin strip costs methods more than its pixels."""

P = TypeVar("P")


def working_size(height: int, width: int, working_pixels: int, most_enlarged: float = 1.0) -> tuple[int, int]:
    """Find the size to work at: the same shape, at most about ``working_pixels``, no side above `LONGEST`.

    Parameters
    ----------
    height, width : int
    working_pixels : int
        0 is no limit.
    most_enlarged : float
        Smaller images are enlarged up to so many times; 1 leaves them.

    Returns
    -------
    height, width : int
    """
    if not working_pixels:
        return height, width
    side = math.sqrt(working_pixels)
    factor = min(most_enlarged, side / math.sqrt(height * width), LONGEST * side / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def shrink(image: RGBImage, height: int, width: int) -> RGBImage:
    """Shrink an image; each new pixel is the mean of the area it covers.

    Parameters
    ----------
    image : uint8 (H, W, 3)
    height, width : int
        The new size.

    Returns
    -------
    uint8 (height, width, 3)
    """
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def shrink_knobs(params: P, factor: float) -> P:
    """Convert knobs from pixels of the full image to pixels of the working size.

    Parameters
    ----------
    params : dataclass
        With knobs declared by ``param()``; those of unit ``px`` and ``px²`` are converted.
    factor : float
        Working width over full width, in (0, 1].
    """
    changed: dict[str, Any] = {}
    for knob in knobs_of(type(params)):
        power = {"px": 1, "px²": 2}.get(knob.unit)
        if power is None:
            continue
        value = getattr(params, knob.name) * factor**power
        low = knob.low if knob.low is not None else value
        changed[knob.name] = max(knob.kind(low), knob.kind(round(value) if knob.kind is int else value))
    return dataclasses.replace(params, **changed) if changed else params  # type: ignore[type-var]  # P is a dataclass


def shrink_prompt(prompt: Prompt, full: tuple[int, int], working: tuple[int, int]) -> Prompt:
    """Convert marks from the full image to the working size.

    Parameters
    ----------
    prompt : Prompt
    full, working : (height, width)

    Returns
    -------
    Prompt
        Boxes stay at least a pixel wide; a scribbled pixel is never lost.
    """
    down, across = working[0] / full[0], working[1] / full[1]
    points = tuple((int(row * down), int(col * across), positive) for row, col, positive in prompt.points)
    boxes = tuple(
        (
            top := math.floor(box[0] * down),
            left := math.floor(box[1] * across),
            max(top + 1, math.ceil(box[2] * down)),
            max(left + 1, math.ceil(box[3] * across)),
        )
        for box in prompt.boxes
    )
    scribble = prompt.scribble
    if scribble is not None:
        small = np.zeros(working, np.int8)
        for sign in (1, -1):
            rows, cols = np.nonzero(scribble == sign)
            small[(rows * down).astype(np.intp), (cols * across).astype(np.intp)] = sign
        scribble = small
    return dataclasses.replace(prompt, points=points, boxes=boxes, scribble=scribble)


def enlarge(label_map: LabelMap, working_image: RGBImage, image: RGBImage) -> LabelMap:
    """Bring a label map back to full size, its boundaries on the edges of the full image; see `upscale`.

    Parameters
    ----------
    label_map : int32 (h, w)
    working_image : uint8 (h, w, 3)
    image : uint8 (H, W, 3)

    Returns
    -------
    int32 (H, W)
    """
    return upscale(label_map, working_image, image)
