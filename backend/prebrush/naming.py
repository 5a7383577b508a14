"""Which label each segment gets. Not for finding segments, and not for writing them.

The rule ``class`` asks, in this order: ``predicted_values`` on the labels; a label with the same name as the class; the
position of the class in the method's own order (``cluster-2`` is the third label); the first label. The rules ``size``,
``brightness`` and ``color`` look at the segment instead.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from prebrush.datatypes import BACKGROUND, Label, LabelMap, RGBImage, Segments
from prebrush.errors import InvalidParams
from prebrush.segmentation.method import Method, param, show

NAMING_VERSION = 1
"""Raised whenever the same segments get other labels, so that cached predictions are left behind."""

_NUMBERED = re.compile(r".*-(\d+)")


@dataclass(frozen=True, slots=True)
class LabelRule:
    """How segments are matched with labels."""

    rule: str = param(
        "class",
        choices=("class", "size", "brightness", "color"),
        help="What decides the label: the method's class, or the segment's area, brightness or colour.",
    )
    bounds: str = param(
        "",
        help="For size (pixels) and brightness (0 to 255): rising limits between labels, by comma; empty finds gaps.",
    )
    colors: str = param("", help="For color: one `#rrggbb` for each label, in the labels' order, by comma.")

    def __post_init__(self) -> None:
        self.bound_values()
        if len(self.color_values()) == 0 and self.rule == "color":
            raise InvalidParams("rule='color' needs `colors`, one #rrggbb for each label, as in '#ffffff,#803010'")

    @property
    def fingerprint(self) -> str:
        """A text that is equal where the rule decides alike: what the rule in force does not read is left out."""
        bounds = self.bound_values() if self.rule in {"size", "brightness"} else ()
        colors = self.color_values().tolist() if self.rule == "color" else ()
        return repr((self.rule, bounds, colors))

    def check_labels(self, labels: Sequence[Label]) -> None:
        """Check that there are labels enough for the rule.

        Raises
        ------
        InvalidParams
            There are more colours than labels, or as many bounds.
        """
        count = len(_targets(labels))
        bounds, colors = len(self.bound_values()), len(self.color_values())
        if self.rule == "color" and colors > count:
            raise InvalidParams(f"colors names {colors} colours, too many for {count} labels")
        if self.rule in {"size", "brightness"} and bounds and bounds >= count:
            raise InvalidParams(f"bounds has {bounds} limits, too many for {count} labels; {count - 1} fit")

    def bound_values(self) -> tuple[float, ...]:
        """Parse `bounds`.

        Raises
        ------
        InvalidParams
            They are not rising numbers.
        """
        try:
            values = tuple(float(part) for part in self.bounds.split(",") if part.strip())
        except ValueError:
            values = (float("nan"),)
        if any(not low < high for low, high in pairwise(values)) or not np.isfinite(values).all():
            raise InvalidParams(f"bounds={show(self.bounds)} must be rising numbers such as '200,1500'")
        return values

    def color_values(self) -> npt.NDArray[np.uint8]:
        """Parse `colors` to uint8 (n, 3), RGB.

        Raises
        ------
        InvalidParams
            One is not ``#rrggbb``.
        """
        parts = [part.strip() for part in self.colors.split(",") if part.strip()]
        for part in parts:
            if not re.fullmatch(r"#[0-9a-fA-F]{6}", part):
                raise InvalidParams(f"colors: {show(part)} is not of the form #rrggbb")
        rows = [[int(part[i : i + 2], 16) for i in (1, 3, 5)] for part in parts]
        return np.array(rows, dtype=np.uint8).reshape(-1, 3)


def wanted_classes(labels: Sequence[Label]) -> frozenset[str] | None:
    """Return the classes that ``predicted_values`` name, or None where none is named: then every class is wanted.

    The background is no class of segments: asking for it says nothing of the others.
    """
    named = frozenset(value.lower() for label in labels for value in label.predicted_values)
    return named - {BACKGROUND} or None


def find_unmatched(labels: Sequence[Label], method: Method[Any]) -> str:
    """Tell which labels ask for classes that a method never gives, and what to write; empty where none does.

    A label of which one class is given, or the background, has what it asked for: the others may be another backend's.
    """
    number = re.escape(method.class_name.lower()).replace(re.escape("{}"), r"\d+")
    given = re.compile(f"{number}|{re.escape(BACKGROUND)}" if method.class_name else re.escape(BACKGROUND))
    lost = [
        label
        for label in labels
        if label.predicted_values and not any(given.fullmatch(value.lower()) for value in label.predicted_values)
    ]
    if not lost:
        return ""
    asked = ",".join(lost[0].predicted_values)
    others = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
    write = f'predicted_values="{method.class_name.format(0)}"' if method.class_name else ""
    cure = f"write {write}, or leave it out" if write else "leave it out"
    return (
        f"label {show(lost[0].name)}{others} gets no region: {method.name} gives no class that predicted_values="
        f"{show(asked)} names; {cure}"
    )


def name_segments(
    segments: Segments, image: RGBImage | None, labels: Sequence[Label], rule: LabelRule
) -> tuple[str | None, ...]:
    """Give each segment 1..n its label; None where it is not wanted.

    Parameters
    ----------
    segments : Segments
    image : uint8 (H, W, 3) or None
        RGB, of the label map's size; needed by the rules ``brightness`` and ``color`` alone.
    labels : sequence of Label
        In the order of the labeling config; empty for a control without labels, whose segments all get "".
    rule : LabelRule

    Raises
    ------
    InvalidParams
        The rule has more colours than there are labels, or as many bounds.
    """
    if not labels:
        return ("",) * len(segments)
    wanted = wanted_classes(labels)
    keep = [wanted is None or name.lower() in wanted for name in segments.classes]
    if rule.rule == "class":
        # many segments share a class, and a project may have thousands of labels
        names = {name: _name_of_class(name, labels) for name in dict.fromkeys(segments.classes)}
        return tuple(names[name] if kept else None for name, kept in zip(segments.classes, keep, strict=True))
    targets = _targets(labels)
    if not targets:
        return (None,) * len(segments)
    rule.check_labels(labels)
    if rule.rule == "color":
        positions = _nearest_colors(segments, _pixels(image), rule.color_values())
    else:
        values = _areas(segments.label_map, len(segments)).astype(np.float64)
        if rule.rule == "brightness":
            values = _mean_colors(segments, _pixels(image)).mean(axis=1)
        positions = np.searchsorted(_bounds(values, rule, targets), values, side="right")
    return tuple(targets[p].name if kept else None for p, kept in zip(positions.tolist(), keep, strict=True))


def _label_of_class(class_name: str, labels: Sequence[Label]) -> str | None:
    """Find the label that names the class, in ``predicted_values`` or as its own name."""
    wanted = class_name.lower()
    for label in labels:
        if wanted in (value.lower() for value in label.predicted_values):
            return label.name
    if wanted_classes(labels) is None:
        for label in labels:
            if wanted in (name.lower() for name in label.names):
                return label.name
    return None


def _name_of_class(class_name: str, labels: Sequence[Label]) -> str | None:
    named = _label_of_class(class_name, labels) if class_name else None
    if named is not None:
        return named
    ordered = _targets(labels)
    match = _NUMBERED.fullmatch(class_name)
    position = int(match.group(1)) if match else 0
    return ordered[position if position < len(ordered) else 0].name if ordered else None


def _targets(labels: Sequence[Label]) -> list[Label]:
    """List the labels that segments can get: all but those of the background."""
    return [label for label in labels if not _is_background(label)]


def _is_background(label: Label) -> bool:
    return BACKGROUND in (name.lower() for name in (*label.names, *label.predicted_values))


def background_label(labels: Sequence[Label]) -> str | None:
    """Return the label that asks for the background, or None."""
    return _label_of_class(BACKGROUND, labels)


def _pixels(image: RGBImage | None) -> RGBImage:
    if image is None:
        raise InvalidParams("the rules brightness and color need the image")
    return image


def _areas(label_map: LabelMap, count: int) -> npt.NDArray[np.int64]:
    return np.bincount(label_map.ravel(), minlength=count + 1)[1:]


def _mean_colors(segments: Segments, image: RGBImage) -> npt.NDArray[np.float64]:
    """Return float64 (n, 3): the mean RGB of each segment."""
    flat = segments.label_map.ravel()
    count = len(segments)
    sums = [np.bincount(flat, weights=image[..., i].ravel(), minlength=count + 1)[1:] for i in range(3)]
    means: npt.NDArray[np.float64] = np.stack(sums, axis=1) / np.maximum(_areas(segments.label_map, count), 1)[:, None]
    return means


def _nearest_colors(segments: Segments, image: RGBImage, colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Return the position of the nearest named colour for each segment, by distance in Lab."""
    means = np.rint(_mean_colors(segments, image)).astype(np.uint8)
    if not len(means):
        return np.zeros(0, dtype=np.intp)
    distances = np.linalg.norm(_lab(means)[:, None] - _lab(colors)[None], axis=2)
    return np.asarray(distances.argmin(axis=1))


def _lab(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    scaled = np.ascontiguousarray(colors, dtype=np.float32)[None] / np.float32(255)
    lab: npt.NDArray[np.float32] = np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB), dtype=np.float32)[0]
    return lab


def _bounds(values: npt.NDArray[np.float64], rule: LabelRule, targets: Sequence[Label]) -> npt.NDArray[np.float64]:
    """Return the rising limits between labels: the given ones, else the widest gaps between the sorted values."""
    given = rule.bound_values()
    if given:
        return np.array(given)
    ordered = np.unique(np.log(values) if rule.rule == "size" else values)
    parts = min(len(targets), len(ordered))
    if parts < 2:
        return np.zeros(0)
    widest = np.sort(np.argsort(np.diff(ordered))[::-1][: parts - 1])
    limits = (ordered[widest] + ordered[widest + 1]) / 2
    return np.exp(limits) if rule.rule == "size" else limits
