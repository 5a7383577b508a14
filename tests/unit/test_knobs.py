"""Knobs that go by one another: what contradicts itself is refused, what was not given makes way."""

from dataclasses import dataclass

import numpy as np
import pytest

from prebrush import segment
from prebrush.errors import InvalidParams
from prebrush.knobs import Knob, join_knobs, knobs_of, param, parse_knobs
from prebrush.recipes import build_recipe, resolve
from prebrush.segmentation import METHODS
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.pipeline import run
from scenes import cracked_ground


@dataclass(frozen=True, slots=True)
class Params:
    """Two ends of a range, two that may be left to the image, and two that exclude each other."""

    least: int = param(3, low=0, high=9, up_to="most", help="From.")
    most: int = param(5, low=0, high=9, help="To.")
    bottom: float = param(-1.0, low=-1, high=9, up_to="top", unset=-1, help="From, or chosen.")
    top: float = param(-1.0, low=-1, high=9, unset=-1, help="To, or chosen.")
    number: int = param(4, low=1, high=9, help="How many.")
    cost: float = param(0.0, low=0, high=9, instead_of="number", unset=0, help="How dear.")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"least": 7, "most": 2}, "toy: least=7 is above most=2: it must be most at most"),
        ({"least": "5", "most": "3"}, "least=5 is above most=3"),
        ({"least": 6, "most": 5}, "least=6 is above most=5"),
        ({"bottom": 2.5, "top": 0}, "bottom=2.5 is above top=0"),
        ({"number": 4, "cost": 2}, "cost=2 and number=4 exclude each other: leave one of them out"),
    ],
)
def test_two_values_that_contradict_each_other_are_refused(values, words):
    with pytest.raises(InvalidParams) as caught:
        parse_knobs(Params, values, owner="toy")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ({}, (3, 5, -1, -1)),
        ({"least": 5}, (5, 5, -1, -1)),
        ({"least": 8}, (8, 8, -1, -1)),
        ({"most": 1}, (1, 1, -1, -1)),
        ({"most": 9}, (3, 9, -1, -1)),
        ({"bottom": 4}, (3, 5, 4, -1)),
        ({"top": 4}, (3, 5, -1, 4)),
        ({"bottom": 4, "top": -1}, (3, 5, 4, -1)),
        ({"bottom": 4, "top": 4}, (3, 5, 4, 4)),
    ],
)
def test_what_is_not_given_makes_way(values, ends):
    found = parse_knobs(Params, values, owner="toy")
    assert (found.least, found.most, found.bottom, found.top) == ends


def test_a_nearer_level_takes_the_place_of_the_other_knob_too():
    assert join_knobs(Params, [{"number": 3}, {"cost": 2}]) == {"cost": 2}
    assert join_knobs(Params, [{"cost": 2}, {"number": "3"}]) == {"number": "3"}
    assert join_knobs(Params, [{"number": 3, "least": 1}, {"cost": 0}]) == {"number": 3, "least": 1, "cost": 0}
    with pytest.raises(InvalidParams, match="exclude each other"):
        parse_knobs(Params, join_knobs(Params, [{}, {"cost": 2, "number": 3}]), owner="toy")


def test_the_rule_is_told_with_the_range():
    least = knobs_of(Params)[0]
    assert least.expected() == "a whole number from 0 to 9, most at most"


def pairs() -> list[tuple[str, Knob, str]]:
    return [(name, knob, knob.up_to) for name, method in METHODS.items() for knob in method.knobs if knob.up_to]


def test_which_methods_have_such_knobs():
    assert {(name, knob.name, upper) for name, knob, upper in pairs()} == {
        ("ridge", "low", "high"),
        ("ridge", "sigma_min", "sigma_max"),
        ("threshold", "low", "high"),
    }
    assert not any(knob.up_to or knob.instead_of for knob in knobs_of(Cleanup))


@pytest.mark.parametrize(("method", "knob", "upper"), pairs(), ids=lambda case: getattr(case, "name", case))
def test_of_every_method(method, knob, upper):
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(InvalidParams, match=rf"{method}: {knob.name}=9 is above {upper}=4"):
        segment(image, method=method, **{knob.name: 9, upper: 4})


def test_levels_of_a_project():
    default, tag = {"method": "region_merging", "params": {"n_regions": 30}}, {"params": {"threshold": 3}}
    assert resolve([tag, default], "tag", ()).params.threshold == 3
    assert resolve([tag, default], "tag", ()).params.n_regions == 10
    other = {"method": "region_merging", "params": {"threshold": 3}}
    assert resolve([{"params": {"n_regions": 30}}, other], "tag", ()).params.threshold == 0
    lines = {"method": "ridge", "params": {"sigma_max": 3}}
    with pytest.raises(InvalidParams, match="tag: method ridge: sigma_min=8 is above sigma_max=3"):
        resolve([{"params": {"sigma_min": 8}}, lines], "tag", ())


def test_equal_pixels_have_equal_fingerprints():
    recipe = build_recipe({"method": "ridge", "params": {"sigma_min": 8}})
    assert recipe.params.sigma_max == 8
    assert (
        recipe.fingerprint == build_recipe({"method": "ridge", "params": {"sigma_min": 8, "sigma_max": 8}}).fingerprint
    )


@pytest.mark.parametrize("asked", [31, 400, 3000])
def test_who_asks_for_many_superpixels_gets_them(asked: int) -> None:
    image = cracked_ground(0)[0]
    recipe = build_recipe({"method": "slic", "params": {"n_segments": str(asked)}})
    found = len(run(image, recipe.method, recipe.params, recipe.cleanup))
    assert 0.75 * asked < found < 1.5 * asked


def test_but_not_against_what_the_clean_up_is_told() -> None:
    choice = {"method": "slic", "params": {"n_segments": 400}, "regions": {"max": 20, "min_area": 50}}
    assert (build_recipe(choice).cleanup.max_regions, build_recipe(choice).cleanup.min_area) == (20, 50)
    below = {"regions": {"max": 7}}
    assert build_recipe({"method": "slic", "params": {"n_segments": 400}}, below=below).cleanup.max_regions == 7
    for params in ({}, {"n_segments": 20}, {"compactness": 5}):
        assert build_recipe({"method": "slic", "params": params}).cleanup == Cleanup()


def test_lines_are_neither_smoothed_nor_are_their_meshes_filled():
    assert [name for name, method in METHODS.items() if method.thin] == ["ridge"]
    image = np.full((200, 300, 3), 170, np.uint8)
    for row in range(20, 200, 30):
        image[row : row + 3, 5:-5] = 80
    for col in range(10, 300, 30):
        image[5:-5, col : col + 3] = 80
    recipe = build_recipe({"method": "ridge"})
    found = run(image, recipe.method, recipe.params, recipe.cleanup).label_map > 0
    assert found[(image == 80)[..., 0]].mean() > 0.95
    assert found[40::30, 25::30].mean() == 0
    asked = {"method": "ridge", "regions": {"fill_holes": 0.01, "smoothing": 2}}
    assert (build_recipe(asked).cleanup.fill_holes, build_recipe(asked).cleanup.smoothing) == (0.01, 2)
