"""What a person marked with a smart tool, as Label Studio sends it, to a `Prompt` in pixels.

Only percent counts: ``original_width`` and ``original_height`` in a mark may differ from the image that was fetched,
and are used for brush strokes alone, whose mask has that size.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import Mask, Prompt
from prebrush.errors import InvalidPrompt
from prebrush.labelstudio.request import describe
from prebrush.labelstudio.shapes import OUTLINED, PAINTED, Points, fill, read_corners, read_painted, read_point

MAX_MARKS = 100
"""Most marks in one request; a person sends a handful."""


class _Mark(msgspec.Struct):
    value: dict[str, Any] = {}
    id: str | int | None = None
    to_name: str | None = None
    is_positive: bool | None = None
    item_index: int | None = None
    original_width: int | None = None
    original_height: int | None = None


class _Context(msgspec.Struct):
    result: list[_Mark] | None = None


@dataclass(frozen=True, slots=True)
class PromptTarget:
    """Which image of a task the marks are on.

    Attributes
    ----------
    to_name : str
        Name of the image tag; empty if the marks do not say.
    item_index : int or None
        Place in the image tag's list (``valueList``); None if it has none.
    label : str
        The label chosen while marking; empty if none.
    """

    to_name: str = ""
    item_index: int | None = None
    label: str = ""


def find_target(context: Mapping[str, Any]) -> PromptTarget:
    """Tell which image the marks belong to: that of the last one, the mark that was made just now.

    Raises
    ------
    InvalidPrompt
        The context has not the form Label Studio gives it.
    """
    marks = _parse_marks(context)
    if not marks:
        return PromptTarget()
    labels = [_find_label(mark.value) for mark in marks if mark.to_name == marks[-1].to_name]
    label = next((label for label in reversed(labels) if label), "")
    return PromptTarget(marks[-1].to_name or "", marks[-1].item_index, label)


def build_prompt(context: Mapping[str, Any], height: int, width: int) -> Prompt:
    """Turn the marks into pixels of the image.

    Key points are clipped to the image. Rectangles, polygons and ellipses are what a person draws around an object:
    they become the box around their part inside the image, and where the shape does not fill its box (a rotated
    rectangle, an ellipse), the rest of the box is scribbled "not the object". Brush strokes and bitmasks become a
    scribble. Marks on other images of the task than the last mark's are left out.

    Parameters
    ----------
    context : mapping
        ``params.context`` of the request, with a list ``result``.
    height, width : int
        Size of the image as the browser shows it, in pixels.

    Returns
    -------
    prompt : Prompt
        Empty if there are no marks.

    Raises
    ------
    InvalidPrompt
        A mark has no form that is known, is wholly outside the image, or a number in it is none; or all are empty.
    """
    marks = _parse_marks(context)
    if marks:
        last = marks[-1]
        marks = [mark for mark in marks if (mark.to_name, mark.item_index) == (last.to_name, last.item_index)]
    collected = _Collected(height, width)
    for place, mark in enumerate(marks):
        collected.add(mark, f"context.result[{place}]")
    prompt = collected.to_prompt()
    if marks and not prompt:
        raise InvalidPrompt("the strokes are empty: nothing is marked")
    return prompt


def _parse_marks(context: Mapping[str, Any]) -> list[_Mark]:
    try:
        marks = msgspec.convert(context, _Context).result or []
    except msgspec.ValidationError as error:
        raise InvalidPrompt(describe(str(error), "context")) from None
    if len(marks) > MAX_MARKS:
        raise InvalidPrompt(f"context.result: {len(marks)} marks, at most {MAX_MARKS} are taken")
    return marks


class _Collected:
    """The marks read so far, in pixels; lives for one call."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.points: list[tuple[int, int, bool]] = []
        self.boxes: list[tuple[int, int, int, int]] = []
        # One plane for all shapes and one for all strokes: a mask for each would be gigabytes of a large image.
        self.shapes: npt.NDArray[np.uint8] | None = None
        """(H, W): 1 where some shape's box is, 2 where some shape is, else 0."""
        self.strokes: npt.NDArray[np.int8] | None = None
        """(H, W): 1 or -1 where the last stroke says so, else 0."""
        self.is_ruled_out = False
        self.label = ""
        self.seen: set[str | int] = set()

    def add(self, mark: _Mark, where: str) -> None:
        self.label = _find_label(mark.value) or self.label
        # A mark of a tool with a separate <Labels> tag comes twice with one id: bare, and with the label.
        if mark.id:
            if mark.id in self.seen:
                return
            self.seen.add(mark.id)
        value = mark.value
        positive = mark.is_positive is not False
        if not PAINTED.isdisjoint(value):
            self._paint(self._read_stroke(mark, where), 1 if positive else -1)
        elif not OUTLINED.isdisjoint(value):
            corners = read_corners(value, where, self.height, self.width)
            if positive:
                self._enclose(corners, where)
            else:
                self._paint(fill(corners, self.height, self.width), -1)
        elif "x" in value:
            x, y = read_point(value, where, self.height, self.width)
            row = min(max(math.floor(y), 0), self.height - 1)
            self.points.append((row, min(max(math.floor(x), 0), self.width - 1), positive))
        else:
            raise InvalidPrompt(
                f"{where}.value: is no key point, rectangle, ellipse, polygon, brush stroke (rle) or bitmask; "
                f"it has: {', '.join(map(str, list(value)[:10])) or 'nothing'}"
            )

    def to_prompt(self) -> Prompt:
        scribble = self.strokes
        if self.shapes is not None and self.is_ruled_out:
            # what some shape holds is left open; strokes count more than shapes
            scribble = -(self.shapes == 1).view(np.int8)
            if self.strokes is not None:
                np.copyto(scribble, self.strokes, where=self.strokes != 0)
        return Prompt(points=tuple(self.points), boxes=tuple(self.boxes), scribble=scribble, label=self.label)

    def _paint(self, mask: Mask, sign: int) -> None:
        if self.strokes is None:
            self.strokes = np.zeros((self.height, self.width), np.int8)
        self.strokes[mask] = sign

    def _enclose(self, corners: Points, where: str) -> None:
        """Add the box around the part of a shape inside the image, and paint both."""
        limits = np.array([self.width, self.height], np.float64)
        low, high = corners.min(axis=0), corners.max(axis=0)
        if not (high > low).all():
            raise InvalidPrompt(f"{where}: the shape is empty: it is {_size(high - low)} pixels wide and high")
        if not ((high > 0) & (low < limits)).all():
            raise InvalidPrompt(f"{where}: the shape is wholly outside the image of {self.width}x{self.height} pixels")
        first = np.clip(np.floor(low + 0.5), 0, limits - 1).astype(int)
        last = np.clip(np.floor(high + 0.5), first + 1, limits).astype(int)
        left, top = first.tolist()
        right, bottom = last.tolist()
        mask = fill(corners - first, bottom - top, right - left)
        if not mask.any():
            # thinner than a pixel; the box still says where
            mask[:] = True
        self.boxes.append((top, left, bottom, right))
        if self.shapes is None:
            self.shapes = np.zeros((self.height, self.width), np.uint8)
        part = self.shapes[top:bottom, left:right]
        np.maximum(part, mask.view(np.uint8) + 1, out=part)
        self.is_ruled_out = self.is_ruled_out or not mask.all()

    def _read_stroke(self, mark: _Mark, where: str) -> Mask:
        height, width = self.height, self.width
        if "rle" in mark.value:
            # a long stream alone can hold a large mask; a bitmask of a few bytes can, too, and must have our size
            height, width = mark.original_height or height, mark.original_width or width
        mask = read_painted(mark.value, where, height, width)
        if mask.shape == (self.height, self.width):
            return mask
        scaled = cv2.resize(mask.view(np.uint8), (self.width, self.height), interpolation=cv2.INTER_NEAREST)
        return np.ascontiguousarray(scaled).view(np.bool_)


def _find_label(value: Mapping[str, Any]) -> str:
    for key, labels in value.items():
        if key.endswith("labels") and isinstance(labels, list) and labels and isinstance(labels[0], str):
            return labels[0]
    return ""


def _size(extent: Points) -> str:
    return f"{extent[0]:.3g} x {extent[1]:.3g}"
