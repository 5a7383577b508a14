"""Prompt: the object that clicks, boxes and strokes mean, by colour, texture, distance, contours and graph cuts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from prebrush.datatypes import LabelMap, Mask, Prompt, RGBImage
from prebrush.segmentation.markers import inside_boxes
from prebrush.segmentation.method import Method, Preparation
from prebrush.segmentation.methods import grabcut
from prebrush.segmentation.prompt_boxes import cut_boxes
from prebrush.segmentation.prompt_closeup import look_closer
from prebrush.segmentation.prompt_image import Prepared, prepare
from prebrush.segmentation.prompt_outline import enlarge_mask
from prebrush.segmentation.prompt_session import Point, follow, mark_clicks, mark_strokes, start_from
from prebrush.segmentation.prompt_weights import WEIGHTS, Weights
from prebrush.segmentation.scaling import shrink_prompt

__all__ = ["METHOD", "Params", "Prepared", "answer", "find_object", "prepare", "segment"]


@dataclass(frozen=True, slots=True)
class Params:
    """No knobs: the marks say it all."""


def segment(image: RGBImage, params: Params, prompt: Prompt) -> LabelMap:
    """Cut out the object that is marked.

    Colours, textures, distances and contours are weighed for each of some hundred superpixels; a graph cut at several
    sizes gives the candidates, and pixels along the outline of the best one are cut anew. Small things are answered in
    a window around them that is prepared at a larger scale, and small errors by pixels in place of superpixels. A box
    is cut out by `grabcut`, which holds to the negative strokes in it, and clicks go on from there.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB, read-only.
    params : Params
        None.
    prompt : Prompt
        Boxes count first, then strokes, then clicks in their order. One positive click gives a whole object around it.
        Each further click adds or takes away the piece that it lies in and leaves the rest as it is; what is clicked
        is always in or out. What lies outside the boxes is out, unless it is clicked or painted. Without a prompt, as
        from `grabcut`.

    Returns
    -------
    int32 (H, W)
        1 object, 0 background; all 0 where nothing positive is marked.

    Notes
    -----
    Cost: some 0.1 s to prepare an image, then some 10 ms a click, 30 ms on small things, and 0.1 s for a box. Fails on
    objects of many colours that the ground has as well, and on things thinner than three pixels of an image of 90,000.

    Sources: Y. Boykov, M.-P. Jolly, ICCV 2001, doi:10.1109/ICCV.2001.937505 (graph cut from marks); B. Price, B. Morse,
    S. Cohen, CVPR 2010, doi:10.1109/CVPR.2010.5540079 (geodesic distance in it); Z. Tu, CVPR 2008,
    doi:10.1109/CVPR.2008.4587436 (a second round that has seen the first).

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((40, 60, 3), np.uint8)
    >>> image[10:30, 20:40] = 200
    >>> found = segment(image, Params(), Prompt(points=((20, 30, True),)))
    >>> int(found[20, 22]), int(found[5, 5])
    (1, 0)
    """
    if not prompt:
        return grabcut.segment(image, grabcut.Params(), prompt)
    return answer(prepare(image), params, prompt)


def answer(prepared: Prepared, params: Any, prompt: Prompt) -> LabelMap:
    """Cut out the marked object of a prepared image; see `segment`."""
    del params
    if not prompt:
        found = grabcut.segment(prepared.image, grabcut.Params(), prompt) > 0
        return enlarge_mask(prepared, found).astype(np.int32)
    return find_object(prepared, prompt).astype(np.int32)


def find_object(prepared: Prepared, prompt: Prompt, weights: Weights = WEIGHTS) -> Mask:
    """Find the marked object in a prepared image.

    Parameters
    ----------
    prepared : Prepared
    prompt : Prompt
        In pixels of the image; clicks beyond its border count as on it.
    weights : Weights

    Returns
    -------
    bool (H, W)
    """
    height, width = int(prepared.shape[0]), int(prepared.shape[1])
    points = [
        (min(max(row, 0), height - 1), min(max(col, 0), width - 1), positive) for row, col, positive in prompt.points
    ]
    drawn = _find(prepared, prompt, points, weights)
    if drawn is None:
        return np.zeros((height, width), np.bool_)
    mask = enlarge_mask(prepared, drawn)
    inside = inside_boxes(prompt, height, width)
    if prompt.boxes and all(inside[row, col] for row, col, positive in points if positive):
        mask = mask & inside
    if prompt.scribble is not None:
        mask = np.where(prompt.scribble != 0, prompt.scribble > 0, mask)
    for row, col, positive in points:
        mask[row, col] = positive
    return mask


def _find(prepared: Prepared, prompt: Prompt, points: list[Point], weights: Weights) -> Mask | None:
    """Find the object at the size of the kept image; clicks alone are first looked at closely."""
    full = (int(prepared.shape[0]), int(prepared.shape[1]))
    kept = (prepared.image.shape[0], prepared.image.shape[1])
    if prompt.boxes:
        # strokes outside the boxes would only make the part larger that is cut
        against = None if prompt.scribble is None else np.minimum(prompt.scribble, 0) * inside_boxes(prompt, *full)
        boxed = cut_boxes(prepared.image, shrink_prompt(Prompt(boxes=prompt.boxes, scribble=against), full, kept))
        strokes = list(mark_strokes(prepared, prompt.scribble))
        clicks = mark_clicks(prepared, points)
        if not boxed.any():
            return follow(prepared, None, [*strokes, *clicks], weights)
        # the cut holds to the negative strokes already; taken away once more they would take what is beside them
        cut = start_from(prepared, boxed, weights)
        cut.marks.extend(stroke for stroke in strokes if not stroke.positive)
        return follow(prepared, cut, [*(stroke for stroke in strokes if stroke.positive), *clicks], weights)
    first = next((place for place, point in enumerate(points) if point[2]), None)
    if prompt.scribble is not None or first is None:
        return follow(
            prepared, None, [*mark_strokes(prepared, prompt.scribble), *mark_clicks(prepared, points)], weights
        )
    # negative clicks before there was an object count after it
    ordered = [points[first], *points[:first], *points[first + 1 :]]
    small = shrink_prompt(Prompt(points=tuple(ordered)), full, kept).points
    found = look_closer(prepared, small, weights)
    return follow(prepared, None, mark_clicks(prepared, ordered), weights) if found is None else found


METHOD = Method(
    segment, Params, version=3, prompts=("points", "boxes", "scribble"), class_name="foreground",
    uses=("grabcut",), preparation=Preparation(prepare, answer, Prepared),
)  # fmt: skip
