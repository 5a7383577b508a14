"""From segments to labelled regions: naming, merging by label, the background, the cap, and ids."""

from collections.abc import Sequence

import numpy as np

from prebrush.datatypes import Label, Mask, Prediction, Prompt, Region, Segments, Task
from prebrush.errors import InvalidPrompt
from prebrush.labelstudio.prompts import PromptTarget
from prebrush.labelstudio.result import fresh_id, stable_id
from prebrush.labelstudio.task_data import labels_of
from prebrush.naming import background_label, name_segments
from prebrush.pictures import Picture
from prebrush.planning import ControlPlan

LISTED_LABELS = 20
"""In a message."""


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


def choose_control(
    controls: Sequence[ControlPlan], target: PromptTarget, task: Task
) -> tuple[ControlPlan, Label | None]:
    """Find the tag that marks fill, and the label that their region gets: theirs, or the only one the tag has.

    A tool may call a label by its value where the tag has an alias for it, and the other way round, as in the editor.

    Returns
    -------
    plan : ControlPlan
    label : Label or None
        None if neither the tag nor the marks have one.

    Raises
    ------
    InvalidPrompt
        No tag to fill is on the marks' image, or none has their label.
    """
    fitting = [each for each in controls if target.to_name in ("", each.control.to_name)]
    if not fitting:
        raise InvalidPrompt(f"the marks are on {target.to_name!r}, and no tag to fill belongs to that image")
    labels = [labels_of(each.control, task.data) for each in fitting]
    for each, known in zip(fitting, labels, strict=True):
        found = next((label for label in known if target.label in label.names), None)
        if not known:
            return each, Label(target.label) if target.label else None
        if found:
            return each, found
    if not target.label or len(labels[0]) == 1:
        return fitting[0], labels[0][0]
    names = ", ".join(label.name for label in labels[0][:LISTED_LABELS])
    raise InvalidPrompt(
        f"no tag to fill has the label {target.label!r}: give the tool and the tag the same labels; "
        f"{fitting[0].control.from_name!r} has {names}" + (" ..." if len(labels[0]) > LISTED_LABELS else "")
    )


def build_prompted_prediction(
    plan: ControlPlan,
    found: Mask,
    prompt: Prompt,
    item_index: int | None,
    region_id: str | None = None,
) -> Prediction:
    """Answer marks with one region, under the label of the prompt.

    Parameters
    ----------
    found : bool (H, W)
    region_id : str or None
        Of the region that is changed; None gives a fresh id.

    Raises
    ------
    InvalidPrompt
        Nothing was found.
    """
    if not found.any():
        raise InvalidPrompt(
            f"{plan.marks.method.name} finds nothing here; it takes a positive click on the object, or a box around it"
        )
    region = Region(segment=1, label=prompt.label, score=None, control=plan.control, id=region_id or fresh_id())
    return Prediction(found.astype(np.int32), (region,), item_index)


def mean_score(scores: Sequence[float]) -> float:
    """Return the mean score of the regions that have one, 0 where none has: Label Studio wants a number."""
    return float(np.mean(scores)) if scores else 0.0


def _merge_by_label(segments: Segments, names: tuple[str | None, ...]) -> tuple[Segments, tuple[str | None, ...]]:
    """Join all segments of one label; unwanted ones become background. A control without labels is one label."""
    numbers = {name: number for number, name in enumerate((n for n in dict.fromkeys(names) if n is not None), start=1)}
    lookup = np.array([0, *(0 if name is None else numbers[name] for name in names)], dtype=np.int32)
    scores = None
    if segments.scores is not None:
        areas = np.bincount(segments.label_map.ravel(), minlength=len(names) + 1)[1:]
        total = np.bincount(lookup[1:], weights=areas, minlength=len(numbers) + 1)
        weighed = np.bincount(lookup[1:], weights=areas * segments.scores, minlength=len(numbers) + 1)
        scores = (weighed / np.maximum(total, 1))[1:].astype(np.float32)
    kept = tuple(numbers)
    return Segments(lookup[segments.label_map], scores, kept), kept
