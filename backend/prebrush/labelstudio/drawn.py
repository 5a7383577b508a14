"""Regions that are on an image already: those of the newest draft, else annotation, in an interactive request."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import cv2
import msgspec
import numpy as np

from prebrush.datatypes import Control, Mask, Prompt
from prebrush.errors import InvalidBody, InvalidPrompt
from prebrush.labelstudio.bounds import refuse_many_parts
from prebrush.labelstudio.passed_over import Body
from prebrush.labelstudio.request import MOST_MARKED
from prebrush.labelstudio.shapes import read_mask

NEAR_PX = 5
"""A click so near to a region touches it: the editor starts no click on a visible mask."""
LEAST_COVERED = 0.5
"""A box touches a region of which it covers this share: the box of a neighbour only cuts its edge."""
MOST_DECODED = 100
"""Of regions with the label, newest first."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidBody, InvalidPrompt)


class _Result(msgspec.Struct):
    id: str | None = None
    from_name: str | None = None
    to_name: str | None = None
    item_index: int | None = None
    type: str | None = None
    # what is not looked at stays as it is: a mask is megabytes
    value: dict[str, msgspec.Raw] = {}


class _Task(msgspec.Struct):
    drafts: msgspec.Raw = msgspec.Raw(b"[]")
    annotations: msgspec.Raw = msgspec.Raw(b"[]")


class _Predict(msgspec.Struct):
    tasks: list[_Task]


class _Work(msgspec.Struct):
    result: list[msgspec.Raw] | None = None
    updated_at: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A region of somebody's work.

    Attributes
    ----------
    id : str
        An answer with the same id takes its place in the editor.
    mask : bool (H, W)
    """

    id: str
    mask: Mask


def find_touched(
    body: Body,
    prompt: Prompt,
    control: Control,
    names: Collection[str],
    item_index: int | None,
    shape: tuple[int, int],
) -> Drawn | None:
    """Find the region that marks touch: of their label, on the same tag and image, the newest first.

    Parameters
    ----------
    body : Body
        Of ``/predict``; the drafts and annotations of its first task are looked at.
    prompt : Prompt
    control : Control
        The tag that is filled.
    names : collection of str
        What a result may call the marks' label; empty for any, or none.
    item_index : int or None
    shape : (height, width)
        Of the image; a mask of another size is passed over.

    Returns
    -------
    Drawn or None
        None where nothing is touched, and where what was sent cannot be read: it is only looked at to help.
    """
    kind = control.tag.lower()
    results = [each for each in _newest_results(body) if each.id and each.to_name == control.to_name]
    if names and control.labels_from:
        labeled = {each.id for each in results if _has_label(each, control.labels_from, "labels", names)}
        results = [each for each in results if each.id in labeled]
    elif names and kind.endswith("labels"):
        results = [each for each in results if _has_label(each, control.from_name, kind, names)]
    candidates = [each for each in results if (each.from_name, each.type) == (control.from_name, kind)]
    for each in [each for each in candidates if each.item_index == item_index][:MOST_DECODED]:
        try:
            mask = _read_mask(each, shape)
        except _UNREADABLE:
            continue
        if each.id and touches(prompt, mask):
            return Drawn(each.id, mask)
    return None


def _newest_results(body: Body) -> Iterator[_Result]:
    try:
        task = msgspec.json.decode(body, type=_Predict).tasks[0]
    except _UNREADABLE:
        return
    for works in (task.drafts, task.annotations):
        try:
            found = msgspec.json.decode(works, type=list[_Work])
        except _UNREADABLE:
            continue
        if found:
            newest = max(found, key=lambda work: work.updated_at or "")
            for raw in reversed(newest.result or []):
                try:
                    yield msgspec.json.decode(raw, type=_Result)
                except _UNREADABLE:
                    continue
            return


def _has_label(result: _Result, from_name: str, key: str, names: Collection[str]) -> bool:
    """Tell whether a result is of a tag and has one of some labels under a key of its value."""
    if result.from_name != from_name or key not in result.value:
        return False
    try:
        return not set(names).isdisjoint(msgspec.json.decode(result.value[key], type=list[str]))
    except _UNREADABLE:
        return False


def _read_mask(result: _Result, shape: tuple[int, int]) -> Mask:
    for key, raw in result.value.items():
        refuse_many_parts(raw, key, MOST_MARKED)
    value = {key: msgspec.json.decode(raw) for key, raw in result.value.items()}
    return read_mask(value, "a region", *shape)


def touches(prompt: Prompt, mask: Mask) -> bool:
    """Tell whether marks touch a mask: a click within `NEAR_PX`, a stroke over it, or a box that covers half of it."""
    height, width = mask.shape
    for row, col, _ in prompt.points:
        top, left = max(0, row - NEAR_PX), max(0, col - NEAR_PX)
        near = mask[top : min(height, row + NEAR_PX + 1), left : min(width, col + NEAR_PX + 1)]
        rows, cols = np.nonzero(near)
        if rows.size and math.sqrt(((rows + top - row) ** 2 + (cols + left - col) ** 2).min()) <= NEAR_PX:
            return True
    # beside a box, the scribble is what a turned or round shape leaves out of it
    if prompt.scribble is not None and not prompt.boxes and (mask & (prompt.scribble != 0)).any():
        return True
    area = max(1, cv2.countNonZero(mask.view(np.uint8)))
    return any(
        cv2.countNonZero(np.ascontiguousarray(mask[top:bottom, left:right]).view(np.uint8)) >= LEAST_COVERED * area
        for top, left, bottom, right in prompt.boxes
        if min(bottom, height) > max(top, 0) and min(right, width) > max(left, 0)
    )
