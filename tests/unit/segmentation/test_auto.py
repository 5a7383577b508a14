"""What the automatic choice chooses."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from prebrush import segment
from prebrush.datatypes import Prompt
from prebrush.recipes import build_recipe
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.methods import auto, multi_otsu
from prebrush.segmentation.methods.auto import choose
from prebrush.segmenter import compute_segments
from scenes import blood_cell, cracked_ground, dark_cells, field, iou, street_map, two_discs, written_page

NUCLEI = Path(__file__).resolve().parents[2] / "images"

KINDS = {
    "field": ("threshold", "plants on soil", [field(seed).image for seed in range(6)]),
    "cracks": ("ridge", "dark lines", [cracked_ground(seed)[0] for seed in range(6)]),
    "page": ("adaptive_threshold", "writing on paper", [written_page(seed)[0] for seed in range(6)]),
    "cell": ("multi_otsu", "stained cell", [blood_cell(seed).image for seed in range(6)]),
}


def resize(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda image: image,
    "turned": lambda image: np.ascontiguousarray(image[::-1].transpose(1, 0, 2)),
    "noisy": lambda image: (image + np.random.default_rng(0).normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8),
    "warm light": lambda image: (image * (1.0, 0.94, 0.85)).astype(np.uint8),
    "dark": lambda image: (image * 0.7).astype(np.uint8),
    "twice the size": lambda image: resize(image, 2),
    "two thirds of the size": lambda image: resize(image, 2 / 3),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_known_under_any_light_and_size(kind: str, change: str) -> None:
    method, reason, images = KINDS[kind]
    choices = [choose(CHANGES[change](image)) for image in images]
    # one scene in six may be spoiled by what is done to it
    assert sum(choice.method == method and reason in choice.reason for choice in choices) >= 5


@pytest.mark.parametrize("change", CHANGES)
def test_nuclei_are_a_crowd(change: str) -> None:
    for path in sorted(NUCLEI.glob("nuc_*.png")):
        if not path.stem.endswith("_gt"):
            with Image.open(path) as image:
                assert choose(CHANGES[change](np.array(image.convert("RGB")))).method == "watershed", path.stem


def test_plants_are_cut_out_by_their_green() -> None:
    for scene in (field(seed) for seed in range(6)):
        wanted = segment(scene.image, method="threshold", channel="excess_green").label_map
        assert np.array_equal(segment(scene.image, method="auto").label_map, wanted)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_leaves_that_have_closed_are_plants_on_soil_too(seed: int) -> None:
    scene = field(seed, plants=150)
    assert (scene.truth > 0).mean() > 0.35
    assert "plants on soil" in choose(scene.image).reason


def test_a_page_comes_as_its_ink() -> None:
    ours, plain = [], []
    for image, ink in (written_page(seed) for seed in range(6)):
        ours.append(iou(segment(image, method="auto").label_map > 0, ink))
        cut = segment(image, method="threshold", channel="gray", polarity="dark").label_map > 0
        plain.append(iou(cut, ink))
    assert min(ours) > 0.7
    assert np.mean(ours) > np.mean(plain) + 0.1


def test_all_the_writing_is_one_region_unless_pieces_are_asked_for() -> None:
    image, ink = written_page(0)
    whole = compute_segments(image, build_recipe({}))
    assert len(whole) == 1
    assert iou(whole.label_map > 0, ink) > 0.7
    pieces = compute_segments(image, build_recipe({"regions": {"instances": "split", "min_area": 10}}))
    assert len(pieces) > 20
    assert build_recipe({}).fingerprint != build_recipe({"regions": {"instances": "split"}}).fingerprint


def test_cracks_are_cleaned_like_those_of_the_method_for_them() -> None:
    image, _ = cracked_ground(0)
    wanted = compute_segments(image, build_recipe({"method": "ridge", "params": {"polarity": "dark"}}))
    assert np.array_equal(compute_segments(image, build_recipe({})).label_map, wanted.label_map)


def test_a_crack_beside_brighter_paint_is_still_one() -> None:
    for seed in range(4):
        image, _ = cracked_ground(seed)
        image[:, 250:262] = 245
        choice = choose(image)
        assert choice.method == "ridge", seed
        assert choice.params.polarity == "dark"


def test_a_green_leaf_or_two_beside_a_crack_are_no_field() -> None:
    for seed in range(4):
        image, _ = cracked_ground(seed)
        for number in range(6):
            cv2.ellipse(
                image, (30 + 50 * number, 40 + 30 * (number % 3)), (6, 3), 40 * number, 0, 360, (70, 130, 50), -1
            )
        assert choose(image).method == "ridge", seed


@pytest.mark.parametrize("seed", range(6))
def test_parks_on_a_map_are_no_plants_on_soil(seed: int) -> None:
    assert choose(street_map(seed)).method == "region_merging"


@pytest.mark.parametrize("photo", ["grass", "gravel", "brick", "clock", "moon", "coins", "camera"])
def test_textures_and_edges_are_no_cracks(photo: str) -> None:
    gray = getattr(data, photo)()
    choice = choose(np.repeat(gray[:, :, None], 3, axis=2))
    assert choice.method == ("region_merging" if photo in {"grass", "gravel", "coins", "camera"} else "threshold")


@pytest.mark.parametrize("photo", ["page", "text"])
def test_photographed_pages_are_writing(photo: str) -> None:
    gray = getattr(data, photo)()
    choice = choose(np.repeat(gray[:, :, None], 3, axis=2))
    assert choice.method == "adaptive_threshold"
    # on the page, the light falls off by half: ink up there is as bright as paper down here
    assert choice.params.algorithm == "sauvola"


def test_dark_seeds_on_paper_are_no_writing() -> None:
    rng = np.random.default_rng(0)
    image = np.full((400, 400, 3), 225, np.uint8)
    for row in range(25, 400, 38):
        for col in range(25, 400, 38):
            cv2.ellipse(image, (col, row), (9, 6), rng.uniform(0, 180), 0, 360, (90, 60, 40), -1, cv2.LINE_AA)
    noisy = (image + rng.normal(0, 3, image.shape)).clip(0, 255).astype(np.uint8)
    assert choose(noisy).method == "watershed"


def test_a_cell_comes_in_parts_on_background() -> None:
    for scene in (blood_cell(seed) for seed in range(6)):
        label_map = segment(scene.image, method="auto").label_map
        assert iou(label_map == 1, scene.truth == 2) > 0.9
        assert iou(label_map > 0, scene.truth > 0) > 0.9


def test_what_is_marked_goes_to_the_method_for_marks() -> None:
    scene = two_discs()
    prompt = Prompt(boxes=((18, 8, 62, 52),))
    found = auto.segment(scene.image, auto.Params(), prompt)
    assert np.array_equal(found, auto.MARKED.segment(scene.image, auto.MARKED.Params(), prompt))
    assert iou(found > 0, scene.truth == 1) > 0.9
    assert auto.MARKED.__name__.rpartition(".")[2] in auto.METHOD.uses


@pytest.mark.parametrize("scene", [two_discs(), dark_cells()], ids=lambda scene: scene.name)
def test_objects_on_an_even_background_are_cut_out(scene) -> None:
    choice = choose(scene.image)
    assert choice.method == "threshold"
    assert "even background" in choice.reason


@pytest.mark.parametrize("photo", ["astronaut", "coffee", "chelsea"])
def test_photographs_are_divided_into_regions(photo: str) -> None:
    choice = choose(getattr(data, photo)())
    assert choice.method == "region_merging"
    assert "%" in choice.reason


def test_the_choice_does_not_hang_on_the_size() -> None:
    for image in (data.astronaut(), two_discs().image):
        assert choose(image).method == choose(np.ascontiguousarray(image[::2, ::2])).method


def test_what_surrounds_the_objects_of_a_scene_is_background() -> None:
    coins = data.coins()
    segments = segment(np.repeat(coins[..., None], 3, axis=2), cleanup=Cleanup())
    assert 20 <= len(segments) <= 30
    edge = np.concatenate((segments.label_map[0], segments.label_map[:, 0], segments.label_map[:, -1]))
    assert (edge == 0).mean() > 0.9
    # the coins are brighter than the board, though not all of the board is darker than all coins
    on_coins, beside = coins[segments.label_map > 0], coins[segments.label_map == 0]
    assert on_coins.mean() - beside.mean() > 50
    assert 0.25 < on_coins.size / coins.size < 0.5


def test_a_scene_of_surroundings_alone_keeps_its_regions() -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[:30] = np.random.default_rng(0).integers(0, 255, (30, 80, 3))
    image[30:] = np.linspace(0, 255, 80, dtype=np.uint8)[None, :, None]
    assert len(segment(image)) > 0


def test_what_fills_the_picture_is_a_segment_and_no_background() -> None:
    label_map = segment(data.chelsea()).label_map
    # the cat's face reaches along three sides of the frame
    assert (label_map[100:200, 150:300] > 0).all()
    assert (label_map > 0).mean() > 0.9


@pytest.mark.parametrize("photo", ["astronaut", "coffee", "chelsea", "rocket"])
def test_photographs_are_divided_as_people_would(photo: str) -> None:
    segments = segment(getattr(data, photo)(), cleanup=Cleanup())
    assert 2 <= len(segments) <= 30
    assert (segments.label_map > 0).mean() > 0.5


def test_the_choice_can_be_repeated_with_its_knobs() -> None:
    image = data.rocket()
    choice = choose(image)
    knobs = {name: getattr(choice.params, name) for name in ("n_regions", "stretch")}
    assert np.array_equal(segment(image).label_map, segment(image, method=choice.method, **knobs).label_map)


def test_a_cell_is_blurred_by_how_large_it_is_shown() -> None:
    cell = blood_cell(0).image
    large = cv2.resize(cell, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    for image in (cell, large):
        chosen = choose(image).params
        assert isinstance(chosen, multi_otsu.Params)
        assert chosen.sigma == pytest.approx(min(image.shape[:2]) / 120)


def test_an_image_that_was_changed_is_looked_at_again() -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[20:40, 30:50] = 200
    before = choose(image).reason
    image[20:40, 5:15] = 200
    assert choose(image).reason != before


def test_a_read_only_image_is_looked_at_once() -> None:
    image = np.ascontiguousarray(data.coffee()[::4, ::4])
    image.flags.writeable = False
    assert choose(image) is choose(image)
    assert choose(image.copy()) is not choose(image)
