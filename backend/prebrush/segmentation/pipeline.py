"""From an image to its segments: shrink, segment, clean up, score, enlarge."""

import dataclasses
from collections.abc import Collection
from typing import Any

from prebrush.datatypes import Prompt, RGBImage, Segments
from prebrush.errors import InvalidPrompt
from prebrush.segmentation.cleanup import Cleanup, clean
from prebrush.segmentation.kernels.components import areas_of, keep_numbers
from prebrush.segmentation.method import Method
from prebrush.segmentation.scaling import (
    WORKING_PIXELS,
    enlarge,
    shrink,
    shrink_knobs,
    shrink_prompt,
    working_size,
)
from prebrush.segmentation.scoring import score_segments

PIPELINE_VERSION = 2
"""Raised whenever clean-up, scoring or scaling give other pixels or numbers for the same input."""


def run(
    image: RGBImage,
    method: Method[Any],
    params: Any,
    cleanup: Cleanup | None = None,
    prompt: Prompt | None = None,
    classes: Collection[str] | None = None,
    working_pixels: int = WORKING_PIXELS,
    enlarged: bool = True,
    free: Collection[str] = (),
) -> Segments:
    """Segment one image.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB.
    method : Method
    params : Any
        The method's own, from ``method.parse_params``; pixels in knobs are pixels of this image.
    cleanup : Cleanup or None
        None leaves what the method found.
    prompt : Prompt or None
    classes : collection of str or None
        In lower case: only segments of these classes are kept, None for all; used with a clean-up.
    working_pixels : int
        Larger images are segmented at about this many pixels; 0 always works at full size.
    enlarged : bool
        Whether the segments are brought back to the image's size then.
    free : collection of str
        Knobs of the clean-up that nobody set: a method that chooses by the image may set them where nothing is marked.

    Returns
    -------
    Segments
        With scores, at the image's size unless ``enlarged`` is off.

    Raises
    ------
    SegmentationError
        The method broke its contract.
    InvalidPrompt
        The prompt does not fit the image.
    """
    full = (image.shape[0], image.shape[1])
    prompt = _fitted(prompt or Prompt(), *full)
    # what prepares an image for marks works at sizes of its own
    working = full if prompt and method.preparation is not None else working_size(*full, working_pixels)
    small = image
    if working != full:
        factor = max(working) / max(full)
        small = shrink(image, *working)
        small.flags.writeable = False
        params, prompt = shrink_knobs(params, factor), shrink_prompt(prompt, full, working)
        if cleanup is not None:
            cleanup = _shrink_cleanup(cleanup, factor)
    if cleanup is not None and free and method.suit is not None and not prompt:
        params, suited = method.suit(small, params)
        knobs: dict[str, Any] = {name: value for name, value in suited.items() if name in free}
        cleanup = dataclasses.replace(cleanup, **knobs)
    segments = method.segment(small, params, prompt)
    if cleanup is not None:
        segments = clean(segments, small, cleanup, classes)
    else:
        scores = score_segments(segments.label_map, small, len(segments))
        segments = Segments(segments.label_map, scores, segments.classes)
    return _enlarge(segments, small, image) if enlarged and working != full else segments


def _fitted(prompt: Prompt, height: int, width: int) -> Prompt:
    """Move what lies beyond the border onto it.

    Raises
    ------
    InvalidPrompt
        A box lies wholly outside, or the scribble is of another size.
    """
    if prompt.scribble is not None and prompt.scribble.shape != (height, width):
        raise InvalidPrompt(f"the scribble is {prompt.scribble.shape} for an image of {(height, width)}")
    boxes = tuple((max(0, box[0]), max(0, box[1]), min(height, box[2]), min(width, box[3])) for box in prompt.boxes)
    for box, inside in zip(prompt.boxes, boxes, strict=True):
        if inside[2] <= inside[0] or inside[3] <= inside[1]:
            raise InvalidPrompt(f"box {box} is outside the image of {(height, width)}")
    points = tuple(
        (min(max(0, row), height - 1), min(max(0, col), width - 1), positive) for row, col, positive in prompt.points
    )
    return dataclasses.replace(prompt, points=points, boxes=boxes)


def _shrink_cleanup(cleanup: Cleanup, factor: float) -> Cleanup:
    """Convert the knobs; an area of 1 or more is in pixels, below that a share of the image, which stays."""
    areas = {name: getattr(cleanup, name) for name in ("min_area", "fill_holes")}
    shrunk = {name: max(1.0, area * factor**2) for name, area in areas.items() if area >= 1}
    return dataclasses.replace(shrink_knobs(cleanup, factor), **shrunk)


def _enlarge(segments: Segments, small: RGBImage, image: RGBImage) -> Segments:
    """Enlarge the label map; a segment that loses every pixel to its neighbours goes without a gap."""
    label_map = enlarge(segments.label_map, small, image)
    left = areas_of(label_map, len(segments)) > 0
    scores = None if segments.scores is None else segments.scores[left[1:]]
    classes = tuple(name for name, kept in zip(segments.classes, left[1:], strict=True) if kept)
    # made from numbers that were checked at the working size; checking again would take 100 MB at 12 megapixels
    return Segments.trusted(keep_numbers(label_map, left), scores, classes)
