"""`Prediction` to the JSON that Label Studio stores, and the answers around it.

Everything is made as bytes: masks of hundreds of regions are megabytes of numbers, which no Python list ever holds.
No null is written anywhere, and every region has the displayed size, as Label Studio's importers and exporters expect.
"""

import base64
import hashlib
import math
import secrets
import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np

from prebrush.datatypes import Prediction, Region
from prebrush.labelstudio import bitmask, rle
from prebrush.labelstudio.outlines import MAX_POINTS, Boxes, Outline, find_boxes, trace_outlines

ENCODING_VERSION = 2
"""Raised whenever the same segments and labels are written otherwise, so that cached predictions are left behind."""

NOT_READY = b"[]"
"""The entry of a task that failed or is not ready: Label Studio stores nothing and asks again."""

_Value: TypeAlias = dict[str, Any]
_ID_ALPHABET = string.ascii_letters + string.digits + "_-"
_ID_LENGTH = 10
_PERCENT_DIGITS = 4  # of a 20 000 pixel wide image, a fiftieth of a pixel
_SCORE_DIGITS = 4


class _Result(msgspec.Struct):
    id: str
    from_name: str
    to_name: str
    type: str
    original_width: int
    original_height: int
    value: _Value
    image_rotation: int = 0
    score: float | msgspec.UnsetType = msgspec.UNSET
    item_index: int | msgspec.UnsetType = msgspec.UNSET


class _Entry(msgspec.Struct):
    result: msgspec.Raw
    model_version: str
    score: float | msgspec.UnsetType = msgspec.UNSET
    detail: str | msgspec.UnsetType = msgspec.UNSET


def fresh_id() -> str:
    """Make a region id that was never there before, in the editor's own form (10 characters).

    An interactive answer needs these: a suggestion with the id of a region that exists replaces it when accepted.
    """
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


def stable_id(*parts: str | int) -> str:
    """Make a region id from its origin: equal parts give the same 10 characters in every process.

    Examples
    --------
    >>> stable_id("digest", 3) == stable_id("digest", 3) != stable_id("digest3")
    True
    """
    text = "".join(f"{len(str(part))}:{part}" for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_ID_LENGTH]


def encode_prediction(prediction: Prediction) -> bytes:
    """Write the regions of one image as a JSON list; `join_results` joins those of a task with several images.

    Brush regions get a mask, all of them from one pass over the label map. Bitmask regions get a PNG that is
    transparent outside. Rectangles are the tight box. Polygons and vectors are outlines, one region for each connected
    part (``id``, ``id-2``, ...; see `outlines.trace_outlines` for specks and holes); vectors, which are lines, have no
    holes, and without ``closable="true"`` they return to where they began. A tag named by a separate
    ``<Labels>`` gets two results with one id, as the editor stores them.

    Returns
    -------
    text : bytes
        JSON; ``[]`` if nothing was found.

    Raises
    ------
    ValueError
        Two regions have one id (the editor would merge them and lose a mask), or a region's number is beyond
        its label map, or has no pixel in it where its tag takes a shape.
    """
    seen: set[str] = set()
    for region in prediction.regions:
        if region.id in seen:
            raise ValueError(f"two regions have the id {region.id!r}")
        seen.add(region.id)
    return msgspec.json.encode(_ImageResults(prediction).build())


def join_results(parts: Sequence[bytes]) -> bytes:
    """Join JSON lists, each from `encode_prediction`, to one."""
    return b"[" + b",".join(part[1:-1] for part in parts if part != b"[]") + b"]"


def encode_entry(results: bytes, score: float | None, model_version: str, detail: str | None = None) -> bytes:
    """Write the entry of one task around its regions, as `encode_prediction` made them.

    Parameters
    ----------
    detail : str or None
        Why marks got no region, for people; the editor shows nothing of it.
    """
    return msgspec.json.encode(
        _Entry(msgspec.Raw(results), model_version, _round_score(score), detail or msgspec.UNSET)
    )


def encode_response(entries: Iterable[bytes], model_version: str) -> bytes:
    """Write the answer of ``/predict``: one entry a task, in order, each from `encode_entry` or `NOT_READY`."""
    version = msgspec.json.encode(model_version)
    return b'{"results":[' + b",".join(entries) + b'],"model_version":' + version + b"}"


class _ImageResults:
    """The results of one image; what several regions share is made once."""

    def __init__(self, prediction: Prediction) -> None:
        self.prediction = prediction
        self.label_map = prediction.label_map
        self.height, self.width = prediction.label_map.shape
        self.streams: dict[int, msgspec.Raw] = {}
        self.boxes: Boxes | None = None
        self.bitmasks: dict[int, str] = {}
        self.outlines: dict[tuple[int, int, bool], list[Outline]] = {}

    def build(self) -> list[_Result]:
        highest = int(self.label_map.max(initial=0))
        for region in self.prediction.regions:
            if not 0 <= region.segment <= highest:
                raise ValueError(f"a region has the number {region.segment}; the label map goes from 0 to {highest}")
        brushed = [region.segment for region in self.prediction.regions if _shape_of(region) == "brush"]
        self.streams = self._encode_streams(sorted(set(brushed)))
        shapes: dict[str, Callable[[Region], list[_Value]]] = {
            "brush": self._brush,
            "bitmask": self._bitmask,
            "rectangle": self._rectangle,
            "polygon": self._polygons,
            "vector": self._vectors,
        }
        results = []
        for region in self.prediction.regions:
            for place, value in enumerate(shapes[_shape_of(region)](region)):
                part_id = region.id if place == 0 else f"{region.id}-{place + 1}"
                results += self._write(region, part_id, value)
        return results

    def _write(self, region: Region, part_id: str, value: _Value) -> list[_Result]:
        control = region.control
        kind = control.tag.lower()
        if region.label and kind.endswith("labels"):
            return [self._result(region, part_id, control.from_name, kind, {**value, kind: [region.label]})]
        results = [self._result(region, part_id, control.from_name, kind, value)]
        if region.label and control.labels_from:
            # The shape again: that is how the editor stores it, and the brush exporter reads the mask from this one.
            labeled = {**value, "labels": [region.label]}
            results.append(self._result(region, part_id, control.labels_from, "labels", labeled))
        return results

    def _result(self, region: Region, part_id: str, from_name: str, kind: str, value: _Value) -> _Result:
        item_index = self.prediction.item_index
        return _Result(
            id=part_id,
            from_name=from_name,
            to_name=region.control.to_name,
            type=kind,
            original_width=self.width,
            original_height=self.height,
            value=value,
            score=_round_score(region.score),
            item_index=msgspec.UNSET if item_index is None else item_index,
        )

    def _encode_streams(self, wanted: list[int]) -> dict[int, msgspec.Raw]:
        """Encode the masks of the wanted numbers, background included, and no others."""
        if not wanted:
            return {}
        highest = int(self.label_map.max(initial=0))
        chosen = self.label_map
        if wanted != list(range(1, highest + 1)):
            renumber = np.zeros(highest + 1, np.int32)
            renumber[wanted] = np.arange(1, len(wanted) + 1)
            chosen = renumber.take(self.label_map)
        streams = rle.encode_label_map(chosen)
        return {number: msgspec.Raw(rle.json_array(stream)) for number, stream in zip(wanted, streams, strict=True)}

    def _brush(self, region: Region) -> list[_Value]:
        return [{"format": "rle", "rle": self.streams[region.segment]}]

    def _bitmask(self, region: Region) -> list[_Value]:
        if region.segment not in self.bitmasks:
            top, left, bottom, right = self._box_of(region.segment)
            mask = np.zeros(self.label_map.shape, np.bool_)
            mask[top:bottom, left:right] = self.label_map[top:bottom, left:right] == region.segment
            self.bitmasks[region.segment] = bitmask.encode_data_url(mask)
        return [{"imageDataURL": self.bitmasks[region.segment]}]

    def _rectangle(self, region: Region) -> list[_Value]:
        top, left, bottom, right = self._box_of(region.segment)
        x, y = self._percent(left, top)
        x_end, y_end = self._percent(right, bottom)
        width, height = round(x_end - x, _PERCENT_DIGITS), round(y_end - y, _PERCENT_DIGITS)
        return [{"x": x, "y": y, "width": width, "height": height, "rotation": 0}]

    def _polygons(self, region: Region) -> list[_Value]:
        outlines = self._outlines_of(region.segment, MAX_POINTS, with_holes=True)
        return [{"points": [self._percent(x, y) for x, y in outline.tolist()], "closed": True} for outline in outlines]

    def _vectors(self, region: Region) -> list[_Value]:
        closable = region.control.closable
        limit = min(region.control.max_points or MAX_POINTS, MAX_POINTS)
        if not closable:
            limit = max(3, limit - 1)  # one is needed to come back
        values = []
        for outline in self._outlines_of(region.segment, limit, with_holes=False):
            corners = outline.tolist() if closable else [*outline.tolist(), outline[0].tolist()]
            ids = [f"{region.id}:{place}" for place in range(len(corners))]
            # The editor draws a line from each vertex to the one named as its predecessor.
            previous = [ids[-1] if closable else None, *ids[:-1]]
            vertices = []
            for (x, y), own, before in zip(corners, ids, previous, strict=True):
                left, top = self._percent(x, y)
                vertex = {"id": own, "x": left, "y": top, "isBezier": False}
                vertices.append(vertex if before is None else {**vertex, "prevPointId": before})
            values.append({"vertices": vertices, "closed": closable})
        return values

    def _box_of(self, segment: int) -> tuple[int, int, int, int]:
        if self.boxes is None:
            self.boxes = find_boxes(self.label_map)
        if not self.boxes[segment, 2]:
            raise ValueError(f"a region has the number {segment}, and no pixel of the label map has")
        top, left, bottom, right = self.boxes[segment].tolist()
        return top, left, bottom, right

    def _outlines_of(self, segment: int, max_points: int, *, with_holes: bool) -> list[Outline]:
        key = (segment, max_points, with_holes)
        if key not in self.outlines:
            top, left, bottom, right = self._box_of(segment)
            part = self.label_map[top:bottom, left:right] == segment
            corner = np.array([left, top], np.float64)
            self.outlines[key] = [
                outline + corner for outline in trace_outlines(part, max_points, with_holes=with_holes)
            ]
        return self.outlines[key]

    def _percent(self, x: float, y: float) -> tuple[float, float]:
        # An outline's corner may lie a little outside where a box was put around a sliver.
        across, down = min(max(x / self.width, 0.0), 1.0), min(max(y / self.height, 0.0), 1.0)
        return round(100 * across, _PERCENT_DIGITS), round(100 * down, _PERCENT_DIGITS)


def _shape_of(region: Region) -> str:
    return region.control.tag.lower().removesuffix("labels")


def _round_score(score: float | None) -> float | msgspec.UnsetType:
    if score is None or not math.isfinite(score):
        return msgspec.UNSET
    return round(float(score), _SCORE_DIGITS)
