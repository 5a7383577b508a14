"""Automatic choice: cells, writing, cracks, plants, objects on an even ground are known; other scenes are divided."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.segmentation.choosing import AnyParams, Choice, choose
from prebrush.segmentation.color import is_flat
from prebrush.segmentation.kernels.components import keep_numbers
from prebrush.segmentation.method import Method, Preparation
from prebrush.segmentation.methods import (
    adaptive_threshold,
    multi_otsu,
    prompt,
    region_merging,
    ridge,
    threshold,
    watershed,
)

MARKED = prompt
"""The method that answers where something is marked."""

SIDES = 3
"""A region along this many sides of the frame may be the surroundings of a scene's objects, not one of them."""
SIDE_SHARE = 0.2
"""Share of a side that a region must cover to count as lying along it."""


@dataclass(frozen=True, slots=True)
class Params:
    """No knobs: whoever wants to turn one chooses the method."""


def explain(image: RGBImage) -> str:
    """Tell what is chosen for an image, and why."""
    choice = choose(image)
    return f"{choice.method}, because it looks like {choice.reason}"


@dataclass(frozen=True, slots=True)
class Chosen(Params):
    """What is chosen for one image, so that it is looked at once."""

    choice: Choice


def suit(image: RGBImage, params: Params) -> tuple[Params, Mapping[str, object]]:
    """Choose for an image; return that, and the knobs of the clean-up that suit it better than the defaults."""
    if is_flat(image):
        return params, {}
    choice = choose(image)
    return Chosen(choice), choice.cleanup


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Segment with what `choose` finds, or what is marked with the method for marks.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        Has no knobs; of `suit`, what was chosen already.
    prompt : Prompt
        If anything is marked, the image is not looked at: `MARKED` answers.

    Returns
    -------
    int32 (H, W)
        Objects 1..n on background 0, as `threshold`, `adaptive_threshold`, `ridge` or `watershed` gives them; the
        classes of a cell, darkest first, on the ground; or regions 1..n of `region_merging` on what surrounds them on
        three sides or more. All 0 on a flat image.

    Notes
    -----
    Cost: that of the chosen method and some 15 ms, on dull images 35 ms, on pages 40 ms, whatever the size. Fails where
    objects on an even background differ from it in texture alone.
    """
    if prompt:
        return MARKED.segment(image, MARKED.Params(), prompt)
    if is_flat(image):
        return np.zeros(image.shape[:2], np.int32)
    return _apply(image, (params.choice if isinstance(params, Chosen) else choose(image)).params)


def _apply(image: RGBImage, params: AnyParams) -> LabelMap:
    match params:
        case threshold.Params():
            return threshold.segment(image, params, Prompt())
        case adaptive_threshold.Params():
            return adaptive_threshold.segment(image, params, Prompt())
        case ridge.Params():
            return ridge.segment(image, params, Prompt())
        case watershed.Params():
            return watershed.segment(image, params, Prompt())
        case multi_otsu.Params():
            classes = multi_otsu.segment(image, params, Prompt())
            # the brightest class is what the cells lie on
            return np.where(classes == classes.max(), np.int32(0), classes)
    return _drop_surroundings(region_merging.segment(image, params, Prompt()))


def _drop_surroundings(label_map: LabelMap) -> LabelMap:
    """Make background of the regions that reach along at least `SIDES` sides of the frame: what things lie on.

    A segment is one connected region here, so one that runs around an image is its surroundings and not a thing in it;
    unless it has a larger share of the middle than of the frame, as a face that fills the picture. If nothing else
    would be left, the regions stay.
    """
    count = int(label_map.max())
    sides = (label_map[0], label_map[-1], label_map[:, 0], label_map[:, -1])
    reached = np.sum([np.bincount(side, minlength=count + 1) >= SIDE_SHARE * side.size for side in sides], axis=0)
    height, width = label_map.shape
    middle = label_map[height // 4 : height - height // 4, width // 4 : width - width // 4]
    frame = np.concatenate(sides)
    inside = np.bincount(middle.ravel(), minlength=count + 1) / middle.size
    kept = (reached < SIDES) | (inside > np.bincount(frame, minlength=count + 1) / frame.size)
    kept[0] = False
    return keep_numbers(label_map, kept) if kept.any() else label_map


METHOD = Method(
    segment,
    Params,
    version=6,
    prompts=MARKED.METHOD.prompts,
    class_name="foreground",
    explain=explain,
    suit=suit,
    uses=("threshold", "adaptive_threshold", "watershed", "region_merging", "ridge", "multi_otsu", "prompt"),
    preparation=Preparation(MARKED.prepare, MARKED.answer, MARKED.Prepared),
)
