"""Only what somebody set is told, saved and copied; what nobody set goes on suiting method and image."""

import cv2
import numpy as np
import pytest

from prebrush.labelstudio.config import parse_label_config
from prebrush.planning import build_plan
from prebrush.recipes import build_recipe, build_rule
from prebrush.segmentation import METHODS
from prebrush.segmenter import compute_segments
from prebrush.settings import Settings
from prebrush.web.playground_choices import choice_in_force, choice_to_save

from .conftest import CONFIG, draw_discs
from .playground_calls import ask, send

LINES = {"smoothing": 0.0, "fill_holes": 0.0}
PROJECT = "1.1700000000"


def draw_cracks() -> np.ndarray:
    """Thin dark lines on dull concrete."""
    noise = np.random.default_rng(5).normal(150, 4, (240, 320))
    image = np.repeat(noise.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    for start, end in (((10, 20), (300, 180)), ((40, 220), (280, 30)), ((150, 5), (170, 235))):
        cv2.line(image, start, end, (60, 60, 60), 3, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 1)


def plan_of(tag: str = "", *, settings: Settings, extra=None, saved=None):
    config = parse_label_config(CONFIG.replace("<BrushLabels ", f"<BrushLabels {tag} "))
    return build_plan(config, settings, PROJECT, extra or {}, saved).require_controls()[0]


def test_an_answer_tells_where_the_sliders_of_the_clean_up_start(client):
    image = send(client, draw_cracks())
    plain, _ = ask(client, image, choice={"method": "threshold"})
    assert plain["cleanup"]["smoothing"] == 1
    for method in ("ridge", "auto"):
        head, label_map = ask(client, image, choice={"method": method})
        assert {name: head["cleanup"][name] for name in LINES} == LINES, method
        # what is set is not where the slider starts
        moved, _ = ask(client, image, choice={"method": method, "regions": {"fill_holes": 0.5}})
        assert moved["cleanup"] == head["cleanup"]
        # and to name the start changes nothing
        _, named = ask(client, image, choice={"method": method, "regions": head["cleanup"]})
        np.testing.assert_array_equal(named, label_map)
    many, _ = ask(client, image, choice={"method": "slic", "params": {"n_segments": 300}})
    assert many["cleanup"]["max_regions"] == 600
    marked, _ = ask(client, image, points=[[40, 40, True]])
    assert marked["cleanup"] == {}


def test_the_servers_own_default_is_where_they_start(make_settings):
    from prebrush.web import create_app

    client = create_app(make_settings(default={"method": "auto", "regions": {"smoothing": 3}})).test_client()
    head, _ = ask(client, send(client, draw_cracks()), choice={"method": "auto"})
    assert head["cleanup"]["smoothing"] == 3
    assert head["cleanup"]["fill_holes"] == 0


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_told_of_a_method_that_is_chosen_and_left_as_it_is(method):
    told = choice_in_force(plan_of(f'model_method="{method}"', settings=Settings()), {})
    assert told == {"method": method, "params": {}, "regions": {}, "labels": {}, "prompts": {}}


@pytest.mark.parametrize(
    ("tag", "extra", "saved"),
    [
        ('model_method="ridge" model_smoothing="1"', {}, {}),
        ('model_method="auto" model_min_area="9"', {"labels": {"rule": "size"}}, {}),
        ('model_method="slic" model_n_segments="200"', {}, {}),
        ("", {"method": "kmeans", "params": {"n_clusters": 5}}, {"regions": {"max": 7}}),
        ("", {}, {"method": "auto", "regions": {"fill_holes": 0.005}}),
        ('model_prompt_method="grabcut"', {}, {"method": "watershed", "params": {"neck": 0.4}}),
    ],
)
@pytest.mark.parametrize("default", [{}, {"method": "slic", "params": {"n_segments": 90}, "regions": {"smoothing": 2}}])
def test_what_is_told_gives_the_masks_that_are_in_force(tag, extra, saved, default):
    settings = Settings(default=default)
    plan = plan_of(tag, settings=settings, extra=extra, saved=saved)
    told = choice_in_force(plan, default)
    recipe = build_recipe(told, below=default)
    for pixels in (draw_discs(), draw_cracks()):
        np.testing.assert_array_equal(
            compute_segments(pixels, recipe).label_map, compute_segments(pixels, plan.recipe).label_map
        )
    assert told["labels"] == ({"rule": "size"} if extra.get("labels") else {})


@pytest.mark.parametrize(
    "below",
    [
        {},
        {"method": "threshold", "params": {"algorithm": "li", "sigma": 3}},
        {"method": "kmeans", "params": {"n_clusters": 5}, "regions": {"max": 3}, "labels": {"rule": "size"}},
    ],
)
def test_what_was_seen_is_saved_over_what_the_configuration_says_of_the_project(below):
    seen = {"method": "threshold", "params": {"sigma": 2.0}, "regions": {}, "labels": {}, "prompts": {}}
    default = {"regions": {"min_area": 20}}
    settings = Settings(default=default, projects={"1": below} if below else {})
    saved = choice_to_save(seen, below, default)
    plan = plan_of(settings=settings, saved=saved)
    assert plan.recipe == build_recipe(seen, below=default)
    assert plan.rule == build_rule(seen, below=default)
    if not below:
        assert saved == seen


def test_taking_back_saves_nothing():
    assert choice_to_save({}, {"method": "kmeans", "regions": {"max": 3}}, {}) == {}
