"""From segments to regions: merging by label, background, ids; and from marks to one region."""

import numpy as np
import pytest

from prebrush.datatypes import Control, Label, Prompt, Segments
from prebrush.errors import InvalidPrompt
from prebrush.naming import LabelRule
from prebrush.planning import ControlPlan
from prebrush.recipes import PromptRule, build_recipe
from prebrush.regions import build_prediction, build_prompted_prediction, mean_score
from prebrush.segmentation.picking import pick_segments
from prebrush.segmenter import pick

LABEL_MAP = np.array([[0, 1, 1, 2], [0, 1, 1, 2], [3, 3, 3, 3]], np.int32)
SEGMENTS = Segments(LABEL_MAP, np.array([0.5, 0.25, 1.0], np.float32), ("cluster-0", "cluster-1", "cluster-2"))


class NoPixels:
    """A picture whose pixels nobody may ask for."""

    @property
    def pixels(self):
        raise AssertionError("fetched for nothing")


def plan(*labels, regions=None):
    control = Control("mask", "image", "BrushLabels", "image", labels=labels)
    recipe = build_recipe({"regions": regions or {}})
    return ControlPlan(control, recipe, LabelRule(), recipe, PromptRule())


def test_each_segment_is_a_region_with_a_stable_id():
    labels = (Label("A"), Label("B"), Label("C"))
    first, again = (build_prediction(plan(*labels), SEGMENTS, NoPixels(), labels, None, "seed") for _ in range(2))
    assert [(r.segment, r.label, r.score) for r in first.regions] == [(1, "A", 0.5), (2, "B", 0.25), (3, "C", 1.0)]
    assert [r.id for r in first.regions] == [r.id for r in again.regions]
    other = build_prediction(plan(*labels), SEGMENTS, NoPixels(), labels, None, "other seed")
    fresh = build_prediction(plan(*labels), SEGMENTS, NoPixels(), labels, None, None)
    assert len({r.id for p in (first, other, fresh) for r in p.regions}) == 9
    assert mean_score([0.5, 0.25, 1.0]) == pytest.approx(7 / 12)


def test_merge_joins_segments_of_one_label_and_weighs_their_scores():
    labels = (Label("A", ("cluster-0", "cluster-1")), Label("B", ("cluster-2",)))
    found = build_prediction(plan(*labels, regions={"instances": "merge"}), SEGMENTS, NoPixels(), labels, None, "s")
    assert [r.label for r in found.regions] == ["A", "B"]
    assert np.array_equal(found.label_map, [[0, 1, 1, 1], [0, 1, 1, 1], [2, 2, 2, 2]])
    assert found.regions[0].score == pytest.approx((0.5 * 4 + 0.25 * 2) / 6)


def test_background_comes_last_where_it_is_asked_for():
    labels = (Label("A"), Label("Background"))
    found = build_prediction(plan(*labels), SEGMENTS, NoPixels(), labels, None, "s")
    assert (found.regions[-1].segment, found.regions[-1].label, found.regions[-1].score) == (0, "Background", None)


def test_nothing_found_scores_zero():
    empty = Segments(np.zeros((2, 2), np.int32))
    assert build_prediction(plan(Label("A")), empty, NoPixels(), (Label("A"),), None, "s").regions == ()
    assert mean_score([]) == 0.0


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (Prompt(points=((0, 1, True),)), {1}),
        (Prompt(points=((0, 1, True), (2, 0, True))), {1, 3}),
        (Prompt(points=((0, 1, True), (2, 0, False))), {1}),
        (Prompt(points=((0, 1, True), (0, 2, False))), set()),
        (Prompt(points=((99, 99, True),)), {3}),
        (Prompt(boxes=((0, 0, 2, 4),)), {1, 2}),
        (Prompt(boxes=((0, 0, 2, 4),), points=((0, 3, True),)), {2}),
        (Prompt(boxes=((-5, -5, 2, 3),)), {1}),
        (Prompt(points=((0, 0, True),)), set()),
        (Prompt(scribble=np.array([[0, 1, 0, 0]] + [[0] * 4] * 2, np.int8)), {1}),
        (Prompt(boxes=((0, 0, 3, 4),), scribble=np.array([[0, 0, 0, -1]] * 3, np.int8)), {1, 3}),
    ],
)
def test_marks_pick_segments(prompt, expected):
    assert set(np.unique(LABEL_MAP[pick_segments(LABEL_MAP, prompt)]).tolist()) == expected


def test_marks_that_leave_nothing_say_so():
    with pytest.raises(InvalidPrompt, match="leave nothing"):
        pick(SEGMENTS, Prompt(points=((0, 0, True),)))
    nothing = np.zeros((3, 4), np.bool_)
    with pytest.raises(InvalidPrompt, match="finds nothing"):
        build_prompted_prediction(plan(Label("A")), nothing, Prompt(points=((0, 0, True),)), None)


def test_a_prompts_label_wins_and_ids_are_fresh():
    prompt = Prompt(points=((0, 1, True),), label="B")
    labels = (Label("A"), Label("B"))
    first, again = (build_prompted_prediction(plan(*labels), LABEL_MAP > 0, prompt, None) for _ in range(2))
    assert first.regions[0].label == "B"
    assert first.regions[0].id != again.regions[0].id
