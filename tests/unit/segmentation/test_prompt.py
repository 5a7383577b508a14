"""Clicks, strokes and boxes: what is marked is always in or out, the rest stays, and a click gives a whole object."""

import numpy as np
import pytest

from prebrush.datatypes import Prompt
from prebrush.segmentation import METHODS
from prebrush.segmentation.methods.prompt import Params, Prepared, find_object, prepare, segment
from scenes import disc, grain, iou, spotted_discs


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(spotted_discs()[0])


def test_one_click_gives_the_object(prepared: Prepared) -> None:
    assert iou(find_object(prepared, Prompt(points=((60, 45, True),))), spotted_discs()[1]) > 0.95


def test_a_method_that_prepares_and_answers() -> None:
    image, _ = spotted_discs()
    prompt = Prompt(points=((60, 45, True), (60, 20, False)))
    found = METHODS["prompt"].segment(image, Params(), prompt).label_map
    assert np.array_equal(found > 0, find_object(prepare(image), prompt))


def test_clicks_are_honoured_and_the_rest_stays(prepared: Prepared) -> None:
    rng = np.random.default_rng(3)
    for _ in range(6):
        points: list[tuple[int, int, bool]] = []
        before = np.zeros((120, 160), np.bool_)
        for _ in range(8):
            points.append((int(rng.integers(120)), int(rng.integers(160)), not points or bool(rng.random() < 0.6)))
            mask = find_object(prepared, Prompt(points=tuple(points)))
            wanted = {(row, col): positive for row, col, positive in points}
            assert all(mask[place] == positive for place, positive in wanted.items())
            changed = mask != before
            if len(points) > 1 and before[points[-1][:2]] != points[-1][2]:
                # one way only, but for the few pixels beside the outline that is drawn anew
                assert (mask[changed] != points[-1][2]).mean() < 0.25
            before = mask


@pytest.mark.parametrize("point", [(0, 0), (119, 159), (-5, 300), (60, -1), (500, 80)])
def test_clicks_on_and_beyond_the_border(prepared: Prepared, point: tuple[int, int]) -> None:
    mask = find_object(prepared, Prompt(points=((*point, True),)))
    assert mask[min(max(point[0], 0), 119), min(max(point[1], 0), 159)]


def test_only_negative_marks_give_nothing(prepared: Prepared) -> None:
    assert not find_object(prepared, Prompt(points=((60, 45, False),))).any()
    strokes = np.zeros((120, 160), np.int8)
    strokes[50:60, 40] = -1
    assert not find_object(prepared, Prompt(scribble=strokes)).any()


def test_order_of_first_negative_click_does_not_lose_it(prepared: Prepared) -> None:
    mask = find_object(prepared, Prompt(points=((60, 115, False), (60, 95, True))))
    assert mask[60, 95]
    assert not mask[60, 115]


def test_strokes_hold_to_the_pixel(prepared: Prepared) -> None:
    strokes = np.zeros((120, 160), np.int8)
    strokes[60, 25:65] = 1
    strokes[60, 90:140] = -1
    mask = find_object(prepared, Prompt(scribble=strokes))
    assert mask[strokes > 0].all()
    assert not mask[strokes < 0].any()
    assert iou(mask, spotted_discs()[1]) > 0.95


@pytest.mark.parametrize("noise", [0.0, 3.0, 6.0])
def test_a_click_on_even_ground_gives_the_ground_and_not_what_lies_on_it(noise: float) -> None:
    things = disc(160, 200, 60, 50, 25) | disc(160, 200, 100, 150, 35)
    clean = np.where(things[..., None], (230, 220, 60), (25, 25, 25))
    image = np.clip(clean + np.random.default_rng(0).normal(0, noise, clean.shape), 0, 255).astype(np.uint8)
    for row, col in ((10, 100), (150, 20), (90, 95)):
        mask = segment(image, Params(), Prompt(points=((row, col, True),))) > 0
        assert iou(mask, ~things) > 0.97
        # a further click adds a thing
        more = segment(image, Params(), Prompt(points=((row, col, True), (60, 50, True)))) > 0
        assert iou(more, ~disc(160, 200, 100, 150, 35)) > 0.97


@pytest.mark.parametrize(("size", "amount"), [(0.8, 8), (1.5, 14), (2.0, 10), (3.0, 18), (5.0, 14), (8.0, 10)])
def test_a_click_on_grain_gives_the_ground_and_not_a_speck(size: float, amount: float) -> None:
    rng = np.random.default_rng(5)
    things = disc(240, 320, 80, 90, 38) | disc(240, 320, 160, 230, 45)
    grainy = np.array((150, 120, 90)) + amount * grain(rng, things.shape, size)[..., None]
    image = np.where(things[..., None], (60, 140, 190), grainy) + rng.normal(0, 4, (240, 320, 3))
    ready = prepare(image.clip(0, 255).astype(np.uint8))
    found = [
        iou(find_object(ready, Prompt(points=((row, col, True),))), ~things)
        for row, col in ((15, 200), (150, 60), (120, 150), (220, 20), (60, 290))
    ]
    assert min(found) > 0.05
    assert np.median(found) > 0.98
    # a thing on it is still a thing
    assert iou(find_object(ready, Prompt(points=((75, 80, True),))), disc(240, 320, 80, 90, 38)) > 0.9


@pytest.mark.parametrize("place", [(80, 160), (120, 212), (160, 170), (112, 110)])
def test_a_closer_look_does_not_turn_an_answer_into_a_speck(place: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    ring = disc(240, 320, 120, 160, 64) & ~disc(240, 320, 120, 160, 30)
    image = np.where(ring[..., None], (100, 80, 250), (115, 80, 180)) + 8 * grain(rng, ring.shape, 3.0)[..., None]
    image += rng.normal(0, 5, image.shape)
    mask = segment(image.clip(0, 255).astype(np.uint8), Params(), Prompt(points=((*place, True),))) > 0
    assert (mask & ring).sum() > 0.02 * ring.sum()


def small_things() -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Dim spots of 9 pixels on a dark ground of 512 x 512, as nuclei under a microscope."""
    rng = np.random.default_rng(2)
    image = np.full((512, 512), 20.0)
    places = [(row + int(rng.integers(-8, 9)), col + int(rng.integers(-8, 9))) for row in range(40, 480, 60)
              for col in range(40, 480, 60)]  # fmt: skip
    for row, col in places:
        image[disc(512, 512, row, col, 4.5)] = 90
    noisy = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    return noisy[..., None].repeat(3, axis=2), places


def test_small_things_are_found_to_the_pixel() -> None:
    image, places = small_things()
    ready = prepare(image)
    found = [
        iou(find_object(ready, Prompt(points=((row, col, True),))), disc(512, 512, row, col, 4.5))
        for row, col in places[::7]
    ]
    assert np.median(found) > 0.8


def test_clicks_within_and_beyond_a_window_are_honoured() -> None:
    image, places = small_things()
    ready = prepare(image)
    (row, col), (far_row, far_col) = places[9], places[54]
    points = ((row, col, True), (row + 9, col, False), (far_row, far_col, True), (row - 3, col, True), (9, 9, False))
    for count in range(1, len(points) + 1):
        mask = find_object(ready, Prompt(points=points[:count]))
        assert all(mask[place[:2]] == place[2] for place in points[:count])
    assert mask.mean() < 0.02


def test_what_is_clicked_away_in_a_window_brings_nothing_else() -> None:
    image, places = small_things()
    ready = prepare(image)
    (row, col), (other_row, other_col) = places[9], places[54]
    both = ((row, col, True), (other_row, other_col, True))
    before = find_object(ready, Prompt(points=both))
    for down, right in ((0, 0), (1, 1), (-2, 0), (0, 3)):
        away = (other_row + down, other_col + right, False)
        changed = find_object(ready, Prompt(points=(*both, away))) != before
        assert changed[away[:2]]
        assert not (changed & ~disc(512, 512, other_row, other_col, 9)).any()


def test_small_errors_are_corrected_by_pixels(prepared: Prepared) -> None:
    click = (60, 45, True)
    before = find_object(prepared, Prompt(points=(click,)))
    # one pixel outside the outline, beside the disc's lowest point
    row = int(np.flatnonzero(before[:, 45])[-1]) + 1
    after = find_object(prepared, Prompt(points=(click, (row, 45, True))))
    assert after[row, 45]
    assert 0 < (after != before).sum() < 60


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (40, 3), (200, 30)])
@pytest.mark.parametrize("kind", ["flat", "noise"])
def test_any_size_with_marks(shape: tuple[int, int], kind: str) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    if kind == "noise":
        image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    middle = (shape[0] // 2, shape[1] // 2)
    mask = segment(image, Params(), Prompt(points=((*middle, True), (0, 0, False))))
    assert mask.shape == shape
    assert mask[middle] == (middle != (0, 0))
    assert mask[0, 0] == 0
    assert segment(image, Params(), Prompt(boxes=((0, 0, *shape),))).shape == shape


def test_large_images_are_answered_at_full_size() -> None:
    image, truth = spotted_discs()
    large = image.repeat(11, axis=0).repeat(11, axis=1)
    mask = find_object(prepare(large), Prompt(points=((660, 495, True),)))
    assert iou(mask, truth.repeat(11, axis=0).repeat(11, axis=1)) > 0.95


def test_prepared_images_are_arrays(prepared: Prepared) -> None:
    copied = Prepared(**{name: np.array(part) for name, part in prepared._asdict().items()})
    prompt = Prompt(points=((60, 45, True), (60, 115, False)))
    assert np.array_equal(find_object(copied, prompt), find_object(prepared, prompt))
    assert all(part.dtype != object for part in prepared)


def test_two_flat_things_that_touch_are_parted_at_their_neck() -> None:
    first, second = disc(240, 360, 120, 105, 50), disc(240, 360, 120, 190, 42)
    image = np.where((first | second)[..., None], 170, 60).astype(np.uint8).repeat(3, axis=2)
    both = segment(image, Params(), Prompt(points=((120, 105, True),))) > 0
    assert iou(both, first | second) > 0.95
    left = segment(image, Params(), Prompt(points=((120, 105, True), (120, 195, False)))) > 0
    assert iou(left, first) > 0.93
    assert not left[120, 195]
