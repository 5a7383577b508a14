"""Pictures of an evaluation: the truth beside what was found, both drawn over the image."""

import base64

import cv2
import numpy as np

from prebrush.datatypes import LabelMap, RGBImage
from prebrush.evaluation.measuring import wanted_segments
from prebrush.evaluation.results import Row
from prebrush.evaluation.trials import find_again
from prebrush.overlay import PALETTE, draw_overlay
from prebrush.settings import Settings

PICTURE_PIXELS = 300 * 220
"""Size of each half of a picture: truth left, found right."""


def draw_row(row: Row, settings: Settings) -> RGBImage:
    """Draw the truth (left) and what was found (right) over the image: uint8 (h, w, 3)."""
    pixels, label_map, truths = find_again(row, settings)
    truth, found = np.maximum(truths[0], 0), _comparable(row, label_map, truths[0])
    height, width = truth.shape
    factor = min(2.0, (PICTURE_PIXELS / truth.size) ** 0.5)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    halves = []
    for numbers in (truth, found):
        shrunk = cv2.resize(numbers.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
        half = _draw(small, np.asarray(shrunk, np.int32), row)
        if row.item.kind == "interactive" and row.item.box:
            top, left, bottom, right = (round(edge * factor) for edge in row.item.box)
            cv2.rectangle(half, (left, top), (right - 1, bottom - 1), (255, 255, 255), 1)
        halves.append(half)
    gap = np.full((size[1], 4, 3), 255, np.uint8)
    return np.hstack((halves[0], gap, halves[1]))


def _comparable(row: Row, label_map: LabelMap, truth: LabelMap) -> LabelMap:
    """Number what was found the way the truth is: by class, or one object; else leave it."""
    if row.item.kind in ("regions", "instances"):
        return label_map
    wanted = wanted_segments(row.item, label_map, truth)
    if row.item.kind == "interactive":
        return wanted.astype(np.int32)
    return np.where(wanted, _majority_class(label_map, truth), 0).astype(np.int32)


def _majority_class(label_map: LabelMap, truth: LabelMap) -> LabelMap:
    """Give every pixel the commonest number of the truth within its segment."""
    count = int(truth.max(initial=0)) + 1
    keys = label_map.ravel().astype(np.int64) * count + np.maximum(truth, 0).ravel()
    table = np.bincount(keys, minlength=(int(label_map.max(initial=0)) + 1) * count).reshape(-1, count)
    majority: LabelMap = table.argmax(axis=1).astype(np.int32)[label_map]
    return majority


def _draw(pixels: RGBImage, numbers: LabelMap, row: Row) -> RGBImage:
    """Draw segments; a class has one colour on both sides."""
    count = int(numbers.max(initial=0)) if row.item.kind == "classes" else 0
    return draw_overlay(pixels, numbers, colors=[PALETTE[place % len(PALETTE)] for place in range(count)])


def as_url(picture: RGBImage) -> str:
    """Encode a picture as a ``data:`` URL of a JPEG."""
    encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
