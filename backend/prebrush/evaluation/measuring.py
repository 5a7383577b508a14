"""Which figures an image of each kind gets, and which of them is the main one."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from prebrush.datatypes import LabelMap, Mask, Prompt
from prebrush.evaluation import metrics
from prebrush.evaluation.items import UNDECIDED, Item, Kind
from prebrush.segmentation.picking import pick_segments

BOUNDARY_SHARE = 0.0075
"""Tolerance of the boundary figure as a share of the diagonal, as in the BSDS benchmark: 4.3 px at 481 x 321."""
THIN_PX = 2.0
"""Tolerance of the figure for thin structures."""
CLICKS = "clicks"
"""Key of the number of clicks, which is only there where it was asked for."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One column of the report."""

    key: str
    title: str
    help: str
    higher_is_better: bool = True


_BOUNDARY = Figure("boundary_f", "boundary F", "agreement of the boundaries within 0.75 % of the diagonal")
_IOU = "intersection over union"
FIGURES: Mapping[Kind, tuple[Figure, ...]] = MappingProxyType(
    {
        "regions": (
            Figure("covering", "covering", "how well the best segment covers each true region, by area"),
            _BOUNDARY,
            Figure("rand", "Rand", "Rand index: pixel pairs that both treat alike"),
            Figure(
                "vi",
                "VI",
                "variation of information: bits that each leaves unknown of the other",
                higher_is_better=False,
            ),
        ),
        "instances": (
            Figure("ap50", "AP 0.5", "hits over hits, misses and false alarms, at an IoU over 0.5"),
            Figure("iou", "foreground IoU", f"{_IOU} of all objects together"),
            Figure("dice", "Dice", "twice the common pixels over the sum, all objects together"),
            Figure("best_overlap", "best overlap", f"mean {_IOU} of each true object with its best segment"),
            _BOUNDARY,
        ),
        "classes": (
            Figure("iou", "IoU", f"mean over classes of the {_IOU} with the segments that lie mostly in the class"),
            Figure("dice", "Dice", "the same as Dice"),
            Figure("best_overlap", "best overlap", f"mean {_IOU} of each class with its best single segment"),
            Figure("near_f1", "F1 2 px", "pixels within 2 px of each other, for thin structures"),
        ),
        "interactive": (
            Figure("iou", "IoU", f"{_IOU} of the object with the answer to its box"),
            Figure("dice", "Dice", "twice the common pixels over the sum"),
            Figure(
                CLICKS, "clicks", "clicks to an IoU of 0.85, 20 where that is never reached", higher_is_better=False
            ),
        ),
    }
)
"""The figures of each kind, the main one first."""

CLASS_PREFIX = "iou "
"""Key of one class's own IoU, before its name."""


def figures_of(kind: Kind, measured: Iterable[Mapping[str, float]]) -> list[Figure]:
    """List the figures that were measured, in order, those of single classes last."""
    keys = dict.fromkeys(key for figures in measured for key in figures)
    classes = [key for key in keys if key.startswith(CLASS_PREFIX)]
    own = [Figure(key, f"IoU {key.removeprefix(CLASS_PREFIX)}", "IoU of this class alone") for key in classes]
    return [figure for figure in FIGURES[kind] if figure.key in keys] + own


def measure(item: Item, found: LabelMap, truths: tuple[LabelMap, ...]) -> dict[str, float]:
    """Compare what was found with every annotator's truth.

    Parameters
    ----------
    item : Item
    found : int32 (H, W)
    truths : tuple of int32 (H, W)
        The figures are means over them.

    Returns
    -------
    dict of str to float
        By key: those of ``FIGURES[item.kind]``, and the IoU of each class. Empty where the truth marks nothing.
    """
    one = _MEASURES[item.kind]
    measured = [figures for truth in truths if (figures := one(item, found, truth))]
    keys = dict.fromkeys(key for figures in measured for key in figures)
    return {key: float(np.mean([figures[key] for figures in measured if key in figures])) for key in keys}


def prompt_of(item: Item) -> Prompt | None:
    """Return the box that an interactive item is asked with."""
    return Prompt(boxes=(item.box,)) if item.kind == "interactive" and item.box else None


def wanted_segments(item: Item, found: LabelMap, truth: LabelMap) -> Mask:
    """Mark what the main figure is about, for pictures: bool (H, W).

    For classes, the segments that were joined to any class; for a box, the answer to it; else all segments.
    """
    prompt = prompt_of(item)
    if prompt is not None:
        return pick_segments(found, prompt)
    if item.kind == "classes":
        found = _decided(truth, found)
        overlaps = metrics.count_overlaps(truth, found)
        chosen = np.zeros(overlaps.found_areas.size, np.bool_)
        for number in _class_numbers(item, truth):
            chosen |= metrics.joined_segments(overlaps, number)
        return _mask_of(chosen, found)
    return found > 0


def _boundary_f(truth: LabelMap, found: LabelMap) -> float:
    tolerance = max(1.0, BOUNDARY_SHARE * math.hypot(*truth.shape))
    return metrics.boundary_f(truth, found, tolerance)


def _measure_regions(_: Item, found: LabelMap, truth: LabelMap) -> dict[str, float]:
    overlaps = metrics.count_overlaps(truth, found)
    return {
        "covering": metrics.covering(overlaps),
        "boundary_f": _boundary_f(truth, found),
        "rand": metrics.rand_index(overlaps),
        "vi": metrics.variation_of_information(overlaps),
    }


def _measure_instances(_: Item, found: LabelMap, truth: LabelMap) -> dict[str, float]:
    overlaps = metrics.count_overlaps(truth, found)
    return {
        "ap50": metrics.average_precision(overlaps),
        "iou": metrics.iou(truth > 0, found > 0),
        "dice": metrics.dice(truth > 0, found > 0),
        "best_overlap": metrics.best_overlap(overlaps),
        "boundary_f": _boundary_f(truth, found),
    }


def _class_numbers(item: Item, truth: LabelMap) -> list[int]:
    """List the classes that are there."""
    present = {int(number) for number in np.unique(truth) if number > 0}
    return sorted(present & set(item.classes) if item.classes else present)


def _measure_classes(item: Item, found: LabelMap, truth: LabelMap) -> dict[str, float]:
    found = _decided(truth, found)
    overlaps = metrics.count_overlaps(truth, found)
    best = overlaps.best_iou(with_background=False)
    by_class: dict[str, list[float]] = {"iou": [], "dice": [], "best_overlap": [], "near_f1": []}
    own = {}
    for number in _class_numbers(item, truth):
        joined = metrics.joined_segments(overlaps, number)
        right = int(overlaps.shared[(overlaps.truth == number) & joined[overlaps.found]].sum())
        taken, true = int(overlaps.found_areas[joined].sum()), int(overlaps.truth_areas[number])
        by_class["iou"].append(right / (taken + true - right))
        by_class["dice"].append(2 * right / (taken + true))
        by_class["best_overlap"].append(float(best[number]))
        by_class["near_f1"].append(metrics.near_f1(truth == number, _mask_of(joined, found), THIN_PX))
        own[CLASS_PREFIX + item.classes.get(number, str(number))] = by_class["iou"][-1]
    return {**{key: float(np.mean(values)) for key, values in by_class.items()}, **own} if own else {}


def _decided(truth: LabelMap, found: LabelMap) -> LabelMap:
    """Find nothing where the truth is undecided."""
    undecided = truth == UNDECIDED
    return np.where(undecided, np.int32(0), found) if undecided.any() else found


def _mask_of(chosen: Mask, found: LabelMap) -> Mask:
    """Join the chosen segments: bool (m + 1,) to bool (H, W)."""
    return np.asarray(chosen[found], np.bool_)


def _measure_answer(item: Item, found: LabelMap, truth: LabelMap) -> dict[str, float]:
    prompt = prompt_of(item)
    answer = pick_segments(found, prompt) if prompt is not None else found > 0
    decided = truth != UNDECIDED
    if not (truth > 0).any():
        return {}
    true, answer = truth[decided] > 0, answer[decided]
    return {"iou": metrics.iou(true, answer), "dice": metrics.dice(true, answer)}


_MEASURES: Mapping[Kind, Callable[[Item, LabelMap, LabelMap], dict[str, float]]] = MappingProxyType(
    {
        "regions": _measure_regions,
        "instances": _measure_instances,
        "classes": _measure_classes,
        "interactive": _measure_answer,
    }
)
