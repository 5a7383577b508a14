"""From segments to labelled regions: naming, merging by label, the background, the cap, and ids."""

from collections.abc import Sequence

import numpy as np

from prebrush.datatypes import Label, Prediction, Prompt, Region, Segments
from prebrush.errors import InvalidPrompt
from prebrush.labelstudio.result import fresh_id, stable_id
from prebrush.naming import background_label, name_segments
from prebrush.pictures import Picture
from prebrush.planning import ControlPlan
from prebrush.segmentation.picking import pick_segments


def build_prediction(
    plan: ControlPlan,
    segments: Segments,
    picture: Picture,
    labels: Sequence[Label],
    item_index: int | None,
    seed: str | None,
) -> Prediction:
    """Name the segments of one image for one control.

    Parameters
    ----------
    seed : str or None
        Ids are made from it, so that reruns agree; None gives each region a fresh id.
    """
    looks_at_pixels = plan.rule.rule in {"brightness", "color"}
    names = name_segments(segments, picture.pixels if looks_at_pixels else None, labels, plan.rule)
    if plan.recipe.cleanup.instances == "merge":
        segments, names = _merge_by_label(segments, names)
    scores = [None] * len(segments) if segments.scores is None else [float(score) for score in segments.scores]
    chosen = [(number, name) for number, name in enumerate(names, start=1) if name is not None]
    background = background_label(labels)
    if background is not None and (segments.label_map == 0).any():
        chosen.append((0, background))
    regions = tuple(
        Region(
            segment=number,
            label=name,
            score=scores[number - 1] if number else None,
            control=plan.control,
            id=fresh_id() if seed is None else stable_id(seed, plan.control.from_name, plan.control.to_name, number),
        )
        for number, name in chosen
    )
    return Prediction(segments.label_map, regions, item_index)


def build_prompted_prediction(
    plan: ControlPlan, segments: Segments, prompt: Prompt, labels: Sequence[Label], item_index: int | None
) -> Prediction:
    """Answer marks with one region of the marks' label.

    Raises
    ------
    InvalidPrompt
        The marks leave nothing.
    """
    mask = pick_segments(segments.label_map, prompt)
    if not mask.any():
        raise InvalidPrompt("the marks leave nothing: no segment is under a positive click or mostly inside a box")
    names = [label.name for label in labels]
    label = prompt.label or (names[0] if names else "")
    region = Region(segment=1, label=label, score=None, control=plan.control, id=fresh_id())
    return Prediction(mask.astype(np.int32), (region,), item_index)


def mean_score(predictions: Sequence[Prediction]) -> float:
    """Return the mean score of all regions that have one, 0 where none has: Label Studio wants a number."""
    scores = [region.score for prediction in predictions for region in prediction.regions if region.score is not None]
    return float(np.mean(scores)) if scores else 0.0


def _merge_by_label(segments: Segments, names: tuple[str | None, ...]) -> tuple[Segments, tuple[str | None, ...]]:
    """Join all segments of one label; unwanted ones become background."""
    kept = list(dict.fromkeys(name for name in names if name is not None))
    lookup = np.zeros(len(names) + 1, dtype=np.int32)
    for number, name in enumerate(names, start=1):
        lookup[number] = 0 if name is None else kept.index(name) + 1
    scores = None
    if segments.scores is not None:
        areas = np.bincount(segments.label_map.ravel(), minlength=len(names) + 1)[1:].astype(np.float64)
        weights = [areas * (lookup[1:] == number) for number in range(1, len(kept) + 1)]
        scores = np.array([np.average(segments.scores, weights=weight) for weight in weights], dtype=np.float32)
    return Segments(lookup[segments.label_map], scores, tuple(kept)), tuple(kept)
