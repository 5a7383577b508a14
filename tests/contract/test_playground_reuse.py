"""What the playground keeps between two answers, and what it shows before the exact one."""

import dataclasses
import functools

import cv2
import numpy as np
import pytest

from prebrush.recent import Recent
from prebrush.recipes import build_recipe
from prebrush.segmentation import METHODS
from prebrush.segmentation.stages import bytes_of, kept_by, stage
from prebrush.segmenter import compute_segments
from prebrush.web.playground_reuse import FoundBefore

from .conftest import draw_discs
from .playground_calls import ask, send


def test_a_slider_of_the_clean_up_does_not_run_the_method_again():
    pixels = draw_discs()
    calls = []

    def recipe_of(choice: dict):
        recipe = build_recipe({"method": "kmeans", **choice})
        function = recipe.method.function

        @functools.wraps(function)
        def count(image, params, prompt):
            calls.append(params)
            return function(image, params, prompt)

        return dataclasses.replace(recipe, method=dataclasses.replace(recipe.method, function=count))

    found = FoundBefore()
    choices = [{}, {"regions": {"max": 2}}, {"params": {"n_clusters": 2}}, {"regions": {"instances": "keep"}}, {}]
    for choice in choices:
        with found.reusing(recipe_of(choice)) as recipe:
            again = compute_segments(pixels, recipe)
        truth = compute_segments(pixels, build_recipe({"method": "kmeans", **choice}))
        np.testing.assert_array_equal(again.label_map, truth.label_map)
    assert len(calls) == 2


def other_value(knob):
    """Return a value of a knob that is not its default, near it."""
    if knob.choices:
        return next(choice for choice in knob.choices if choice != knob.default)
    if knob.kind is bool:
        return not knob.default
    value = knob.kind(knob.default * 1.5 + 1)
    return value if value <= knob.high else knob.kind((knob.low + knob.default) / 2)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_reused_between_two_values_of_a_knob_changes_no_pixel(name):
    """The stages of the defaults serve each knob in turn, so that whatever wrote into one of them would be seen."""
    pixels = draw_discs()
    found = FoundBefore()
    knobs = METHODS[name].knobs
    for params in (
        {},
        *({knob.name: other_value(knob)} for knob in knobs),
        *({knob.name: knob.default} for knob in knobs),
    ):
        recipe = build_recipe({"method": name, "params": params})
        with found.reusing(recipe) as reusing:
            again = compute_segments(pixels, reusing)
        np.testing.assert_array_equal(again.label_map, compute_segments(pixels, recipe).label_map)


def test_a_stage_is_computed_once_for_an_image_and_its_knobs():
    calls = []

    def half(image, factor):
        calls.append(factor)
        return image * factor

    image = draw_discs()
    other = image.copy()
    other[0, 0] ^= 1
    assert stage(half, image, 0.5) is not stage(half, image, 0.5)
    calls.clear()
    kept = Recent(10_000_000, bytes_of)
    with kept_by(kept):
        first = stage(half, image, 0.5)
        assert stage(half, image.copy(), 0.5) is first
        assert stage(half, other, 0.5) is not first
        assert stage(half, image, 0.25) is not first
        assert stage(half, image[:, ::-1], 0.5) is not first
    assert calls == [0.5, 0.5, 0.25, 0.5]
    assert kept.size == 4 * first.nbytes
    stage(half, image, 0.5)
    assert len(calls) == 5


def test_a_draft_is_smaller_and_near_the_exact_masks(client):
    pixels = np.repeat(np.repeat(draw_discs(), 2, axis=0), 2, axis=1)
    image = send(client, pixels)
    labels = [{"name": "Disc"}]
    exact_head, exact = ask(client, image, choice={"method": "threshold"}, labels=labels)
    head, draft = ask(client, image, choice={"method": "threshold"}, labels=labels, draft_pixels=10_000)
    assert 8_000 < draft.size < 12_000
    assert head["labels"] == exact_head["labels"] == [0] * head["segments"]
    enlarged = cv2.resize(draft, exact.shape[::-1], interpolation=cv2.INTER_NEAREST)
    assert np.count_nonzero((enlarged > 0) != (exact > 0)) < 0.02 * exact.size
