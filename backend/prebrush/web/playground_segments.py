"""One answer of the playground: what was asked, its segments, and how they travel to the page.

They travel as numbers and not as a picture: the page colours them itself, so that opacity, outlines and colours cost no
request, and no browser that alters what is read back from a canvas can spoil them.
"""

import math
import time
import zlib
from collections.abc import Mapping
from typing import Annotated, Any

import cv2
import msgspec
import numpy as np

from prebrush.datatypes import Label, LabelMap, Prompt, Segments
from prebrush.errors import InvalidBody, InvalidPrompt
from prebrush.jobs import Urgency
from prebrush.labelstudio.request import describe, parse_object
from prebrush.naming import LabelRule, name_segments
from prebrush.pictures import Picture
from prebrush.recipes import (
    PromptRule,
    Recipe,
    build_rule,
    check_choice,
    merged,
    recipe_for_marks,
    resolve,
)
from prebrush.segmentation.method import parse_knobs
from prebrush.segmentation.scaling import WORKING_PIXELS
from prebrush.segmenter import Segmenter, explain
from prebrush.web.playground_choices import start_of_cleanup
from prebrush.web.playground_reuse import FoundBefore

MOST_PIXELS = 4_000_000
"""Of the numbers sent: more than a screen shows."""
MOST_MARKS = 100
MOST_LABELS = 200

_Pixel = Annotated[int, msgspec.Meta(ge=-(2**20), le=2**20)]
_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class AskedLabel(msgspec.Struct, forbid_unknown_fields=True):
    """A label as the page names it."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    predicted_values: Annotated[list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=50)] = []


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """What the page asks for."""

    image: _Digest
    lane: Annotated[str, msgspec.Meta(max_length=64)] = ""
    number: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    choice: dict[str, Any] = {}
    labels: Annotated[list[AskedLabel], msgspec.Meta(max_length=MOST_LABELS)] = []
    points: Annotated[list[tuple[_Pixel, _Pixel, bool]], msgspec.Meta(max_length=MOST_MARKS)] = []
    boxes: Annotated[list[tuple[_Pixel, _Pixel, _Pixel, _Pixel, bool]], msgspec.Meta(max_length=MOST_MARKS)] = []
    most_pixels: Annotated[int, msgspec.Meta(ge=1000, le=MOST_PIXELS)] = MOST_PIXELS
    draft_pixels: Annotated[int, msgspec.Meta(ge=0, le=WORKING_PIXELS)] = 0
    """Of a draft, whose masks are rougher and come sooner; 0 asks for the exact ones."""
    is_urgent: bool = True
    """Whether a person waits for this one; a gallery's pictures let people go first."""


def parse_ask(body: bytes) -> Ask:
    """Read a request of the page.

    Raises
    ------
    InvalidBody
        It is not of that form.
    """
    try:
        return msgspec.convert(parse_object(body), Ask)
    except msgspec.ValidationError as error:
        raise InvalidBody(describe(str(error))) from None


def answer(ask: Ask, picture: Picture, segmenter: Segmenter, found: FoundBefore, default: Mapping[str, Any]) -> bytes:
    """Segment as asked and encode it, see `encode_answer`.

    Raises
    ------
    UnknownMethod, InvalidParams
        A setting does not fit.
    """
    levels = [check_choice("the choice", ask.choice), default]
    labels = tuple(Label(label.name, tuple(label.predicted_values)) for label in ask.labels)
    rule = build_rule(ask.choice, below=default)
    recipe = resolve(levels, "the choice", labels)
    if labels:
        rule.check_labels(labels)
    note = ""
    prompt = _build_prompt(ask, picture)
    # a gallery compares methods: what else keeps the machine busy, its other half too, is no part of theirs
    clock = time.perf_counter if ask.is_urgent else time.thread_time
    started = clock()
    if prompt:
        prompts = parse_knobs(PromptRule, merged(levels, "prompts"), owner="the choice: prompts")
        recipe = recipe_for_marks(recipe, prompts.method)
        try:
            segments = segmenter.marked(picture, recipe, prompt)
        except InvalidPrompt as error:
            # nothing found is an answer, as it is in the editor
            segments, note = _nothing(picture), str(error)
    elif ask.is_urgent:
        with found.reusing(recipe) as reusing:
            if ask.draft_pixels:
                segments = segmenter.draft(picture.pixels, reusing, ask.draft_pixels)
            else:
                segments = segmenter.compute(picture.pixels, reusing, Urgency.NOW)
    else:
        # a gallery tells how long each method takes
        segments = segmenter.compute(picture.pixels, recipe, Urgency.BATCH)
    milliseconds = (clock() - started) * 1000
    head = {
        "segments": len(segments),
        "milliseconds": round(milliseconds, 1),
        "method": recipe.method.name,
        "why": "" if prompt else _explain(picture, recipe),
        "cleanup": {} if prompt else start_of_cleanup(picture.pixels, ask.choice, default),
        "labels": [] if prompt else _place_labels(segments, picture, labels, rule),
        "note": note,
    }
    return encode_answer(head, _fit(segments.label_map, ask.most_pixels))


def _build_prompt(ask: Ask, picture: Picture) -> Prompt:
    """Put the marks onto the image; all that is in a negative box is not the object, as in the editor."""
    bottom, right = picture.height - 1, picture.width - 1
    points = tuple((min(max(0, row), bottom), min(max(0, col), right), yes) for row, col, yes in ask.points)
    boxes, scribble = [], None
    for first, left, last, end, is_positive in ask.boxes:
        box = (min(max(0, first), bottom), min(max(0, left), right), min(last, bottom + 1), min(end, right + 1))
        if is_positive:
            boxes.append(box)
            continue
        if scribble is None:
            scribble = np.zeros((picture.height, picture.width), np.int8)
        scribble[box[0] : box[2], box[1] : box[3]] = -1
    return Prompt(points=points, boxes=tuple(boxes), scribble=scribble)


def _nothing(picture: Picture) -> Segments:
    return Segments(np.zeros((picture.height, picture.width), np.int32))


def _explain(picture: Picture, recipe: Recipe) -> str:
    return explain(picture.pixels, recipe) if recipe.method.explain else ""


def _place_labels(segments: Segments, picture: Picture, labels: tuple[Label, ...], rule: LabelRule) -> list[int | None]:
    """Return the place of each segment's label in the list that was sent; None for one that is not wanted."""
    if not labels:
        return []
    places = {label.name: place for place, label in reversed(list(enumerate(labels)))}
    height, width = segments.label_map.shape
    pixels = picture.pixels
    if (height, width) != pixels.shape[:2]:
        # a draft; any pixel near a segment's own tells its colour
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    names = name_segments(segments, pixels, labels, rule)
    return [None if name is None else places[name] for name in names]


def _fit(label_map: LabelMap, most_pixels: int) -> LabelMap:
    """Take every n-th row and column, so that no more than a screen can show is sent."""
    step = math.ceil(math.sqrt(max(1.0, label_map.size / most_pixels)))
    return label_map[step // 2 :: step, step // 2 :: step] if min(label_map.shape) >= step else label_map


def encode_answer(head: Mapping[str, Any], label_map: LabelMap) -> bytes:
    """Encode a label map: a line of JSON, then its numbers row by row, all compressed with gzip.

    The line tells ``height``, ``width`` and how many ``bytes`` a number has (1, 2 or 4, the low one first). A browser
    undoes the compression by itself. Beside PNG it takes a tenth of the time and as many bytes: some 20 to 50 kB for a
    megapixel.
    """
    count = int(label_map.max(initial=0))
    kind = "<u1" if count < 1 << 8 else "<u2" if count < 1 << 16 else "<u4"
    numbers = np.ascontiguousarray(label_map, dtype=kind)
    height, width = numbers.shape
    line = msgspec.json.encode({**head, "height": height, "width": width, "bytes": numbers.itemsize})
    return zlib.compress(line + b"\n" + numbers.tobytes(), level=1, wbits=31)
