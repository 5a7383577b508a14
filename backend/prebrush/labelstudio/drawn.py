"""Brush regions that are on an image already: those of the newest draft, else annotation, in an interactive request."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import msgspec
import numpy as np

from prebrush.datatypes import Mask, Prompt
from prebrush.errors import InvalidBody
from prebrush.labelstudio import rle

NEAR_PX = 5
"""A click so near to a region touches it: the editor starts no click on a visible mask."""
LEAST_COVERED = 0.5
"""A box touches a region of which it covers this share: the box of a neighbour only cuts its edge."""
MOST_DECODED = 100
"""Of regions with the label, newest first."""


class _Value(msgspec.Struct):
    format: str | None = None
    brushlabels: list[str] | None = None
    rle: msgspec.Raw = msgspec.Raw(b"[]")


class _Result(msgspec.Struct):
    id: str | None = None
    from_name: str | None = None
    to_name: str | None = None
    item_index: int | None = None
    type: str | None = None
    value: msgspec.Raw = msgspec.Raw(b"{}")


class _Work(msgspec.Struct):
    result: list[_Result] | None = None
    updated_at: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A brush region of somebody's work.

    Attributes
    ----------
    id : str
        An answer with the same id takes its place in the editor.
    mask : bool (H, W)
    """

    id: str
    mask: Mask


def find_touched(
    drafts: bytes,
    annotations: bytes,
    prompt: Prompt,
    from_name: str,
    item_index: int | None,
    shape: tuple[int, int],
) -> Drawn | None:
    """Find the region that marks touch: of their label, on the same tag and image, the newest first.

    Parameters
    ----------
    drafts, annotations : bytes
        Lists of works, JSON, as a task has them.
    prompt : Prompt
    from_name : str
        The brush tag.
    item_index : int or None
    shape : (height, width)
        Of the image; a mask of another size is passed over.

    Returns
    -------
    Drawn or None
        None where nothing is touched, and where what was sent cannot be read: it is only looked at to help.
    """
    candidates = (
        each
        for each in _newest_results(drafts, annotations)
        if each.id and each.from_name == from_name and each.item_index == item_index and each.type == "brushlabels"
    )
    decoded = 0
    for each in candidates:
        try:
            value = msgspec.json.decode(each.value, type=_Value)
            if value.format != "rle" or prompt.label not in (value.brushlabels or []):
                continue
            decoded += 1
            if decoded > MOST_DECODED:
                return None
            mask = rle.decode_mask(msgspec.json.decode(value.rle, type=list[int]), *shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidBody):
            continue
        if each.id and touches(prompt, mask):
            return Drawn(each.id, mask)
    return None


def _newest_results(drafts: bytes, annotations: bytes) -> Iterator[_Result]:
    for works in (drafts, annotations):
        try:
            found = msgspec.json.decode(works, type=list[_Work])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if found:
            newest = max(found, key=lambda work: work.updated_at or "")
            yield from reversed(newest.result or [])
            return


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
