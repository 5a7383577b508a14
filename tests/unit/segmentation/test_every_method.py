"""What every method promises, whoever wrote it."""

import doctest
import importlib
import warnings

import numpy as np
import pytest

from prebrush import segment
from prebrush.datatypes import Prompt
from prebrush.errors import InvalidParams, UnknownMethod
from prebrush.segmentation import DEFAULT_METHOD, METHODS, get_method
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.method import Knob, knobs_of
from scenes import ALL_SCENES, OBJECT_SCENES, Scene, covering, equal_brightness, iou

PARTITIONS = {
    "felzenszwalb",
    "kmeans",
    "mean_shift",
    "multi_otsu",
    "normalized_cut",
    "region_growing",
    "region_merging",
    "slic",
}
"""Methods that number every pixel; the others leave background 0."""

ONE_OBJECT = {"grabcut", "prompt"}
"""Methods that look for a single object."""

THIN = {"ridge"}
"""Methods that look for lines: what is drawn for the others is none."""

SIZES = [(1, 1), (1, 2), (1, 17), (17, 1), (2, 2), (3, 5), (33, 20)]


def frozen(image: np.ndarray) -> np.ndarray:
    view = image.view()
    view.flags.writeable = False
    return view


@pytest.fixture(params=sorted(METHODS))
def method(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["noise", "flat", "two values"])
def test_any_size(method: str, size: tuple[int, int], kind: str) -> None:
    image = np.full((*size, 3), 90, np.uint8)
    if kind == "noise":
        image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    elif kind == "two values":
        image[: (size[0] + 1) // 2] = 200
    before = image.copy()
    segments = METHODS[method].segment(frozen(image), METHODS[method].params_class(), Prompt())
    assert segments.label_map.shape == size
    assert segments.label_map.dtype == np.int32
    assert np.array_equal(image, before)
    if method in PARTITIONS:
        assert segments.label_map.min() == 1


@pytest.mark.parametrize("scene", ALL_SCENES, ids=lambda scene: scene.name)
def test_same_answer_twice_and_from_a_slice(method: str, scene: Scene) -> None:
    first = segment(scene.image, method=method)
    again = segment(scene.image.copy(), method=method)
    # a view with other strides holds the same pixels
    padded = np.zeros((scene.image.shape[0] + 3, scene.image.shape[1] + 5, 3), np.uint8)
    padded[1:-2, 2:-3] = scene.image
    sliced = segment(padded[1:-2, 2:-3], method=method)
    assert np.array_equal(first.label_map, again.label_map)
    assert np.array_equal(first.label_map, sliced.label_map)
    assert np.array_equal(first.scores, again.scores)
    assert first.classes == sliced.classes


def test_no_gaps_and_a_score_for_each(method: str) -> None:
    for scene in ALL_SCENES:
        segments = segment(scene.image, method=method)
        found = np.unique(segments.label_map)
        assert found[found > 0].tolist() == list(range(1, len(segments) + 1))
        assert segments.scores is not None
        assert segments.scores.shape == (len(segments),)


def test_gray_is_colour_with_equal_channels(method: str) -> None:
    gray = OBJECT_SCENES[0].image[:, :, 0]
    assert np.array_equal(
        segment(gray, method=method).label_map, segment(np.dstack([gray] * 3), method=method).label_map
    )


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_flat_images_have_nothing_in_them(method: str, level: int) -> None:
    label_map = segment(np.full((24, 31), level, np.uint8), method=method).label_map
    assert (label_map == (1 if method in PARTITIONS else 0)).all()


def drawn_cases() -> list[tuple[str, Scene]]:
    return [
        (name, scene)
        for name in sorted(METHODS)
        for scene in OBJECT_SCENES
        if name not in THIN and (name not in ONE_OBJECT or scene.truth.max() == 1)
    ]


@pytest.mark.parametrize(("method", "scene"), drawn_cases(), ids=lambda case: getattr(case, "name", case))
def test_finds_what_was_drawn(method: str, scene: Scene) -> None:
    knobs = {
        "kmeans": {"n_clusters": 2},
        "multi_otsu": {"n_classes": 2},
        "felzenszwalb": {"scale": 300, "min_size": 60},
        "mean_shift": {"min_size": 60},
    }.get(method, {})
    label_map = segment(scene.image, method=method, **knobs).label_map
    objects = scene.truth > 0
    if method in PARTITIONS:
        # the segments that lie mostly on objects, together
        areas = np.maximum(np.bincount(label_map.ravel()), 1)
        share = np.bincount(label_map.ravel(), weights=objects.ravel()) / areas
        assert iou((share > 0.5)[label_map], objects) > 0.95
    else:
        assert iou(label_map > 0, objects) > 0.95


@pytest.mark.parametrize("method", sorted(PARTITIONS))
def test_partitions_cover_the_stripes(method: str) -> None:
    scene = ALL_SCENES[-1]
    knobs = {"kmeans": {"n_clusters": 3}, "felzenszwalb": {"scale": 300}, "slic": {"n_segments": 3}}.get(method, {})
    assert covering(scene.truth, segment(scene.image, method=method, **knobs).label_map) > 0.95


@pytest.mark.parametrize("name", [name for name in METHODS if "points" in METHODS[name].prompts])
def test_what_is_clicked_is_in_or_out(name: str) -> None:
    rng = np.random.default_rng(0)
    squares = np.kron(np.indices((12, 15)).sum(axis=0) % 2, np.ones((5, 5))).astype(np.uint8) * 255
    speck = np.zeros((60, 75), np.uint8)
    speck[31, 40] = 255
    for image in (squares, speck, np.full((60, 75), 90, np.uint8), OBJECT_SCENES[0].image):
        height, width = image.shape[:2]
        for count in (1, 2, 4):
            places = rng.permutation(height * width)[:count]
            points = tuple((int(at) // width, int(at) % width, turn % 2 == 0) for turn, at in enumerate(places))
            found = segment(image, method=name, prompt=Prompt(points=points)).label_map
            assert [bool(found[row, col]) for row, col, _ in points] == [positive for *_, positive in points]


def test_no_warnings_on_hard_values(method: str) -> None:
    rng = np.random.default_rng(0)
    images = [
        np.zeros((9, 9, 3), np.uint8),
        np.where(rng.random((40, 40, 1)) < 0.5, 0, 255).astype(np.uint8).repeat(3, axis=2),
        np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (3, 1, 3)),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for image in images:
            segment(image, method=method)


def knob_cases() -> list[tuple[str, Knob]]:
    return [(name, knob) for name, method in METHODS.items() for knob in method.knobs]


@pytest.mark.parametrize(("method", "knob"), knob_cases(), ids=lambda case: getattr(case, "name", case))
def test_wrong_values_are_refused_by_name(method: str, knob: Knob) -> None:
    wrong: list[object] = ["no such thing", None, [1]]
    if knob.high is not None:
        wrong += [knob.high + 1, float("nan"), True]
    if knob.low is not None:
        wrong.append(knob.low - 1)
    if knob.kind is int:
        wrong.append(2.5)
    for value in wrong:
        with pytest.raises(InvalidParams) as caught:
            segment(np.zeros((4, 4, 3), np.uint8), method=method, **{knob.name: value})
        assert knob.name in str(caught.value)
        assert repr(value) in str(caught.value)
        assert knob.expected() in str(caught.value)


def test_every_knob_takes_its_ends(method: str) -> None:
    image = OBJECT_SCENES[0].image[::4, ::4]
    for knob in METHODS[method].knobs:
        ends = knob.choices or [end for end in (knob.low, knob.high) if end is not None]
        for end in ends:
            label_map = segment(image, method=method, **{knob.name: end}).label_map
            assert label_map.shape == image.shape[:2]


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(points=((28, 36, True),)),
        Prompt(points=((28, 36, True), (4, 4, False))),
        Prompt(boxes=((11, 15, 50, 55),)),
        Prompt(boxes=((11, 15, 50, 55),), points=((30, 35, True),)),
    ],
    ids=("click", "two clicks", "box", "box and click"),
)
@pytest.mark.parametrize(
    "name", sorted(key for key, method in METHODS.items() if {"points", "boxes"} <= {*method.prompts})
)
def test_marks_give_one_object(name: str, prompt: Prompt) -> None:
    scene = equal_brightness()
    method = METHODS[name]
    found = method.segment(scene.image, method.params_class(), prompt).label_map
    assert iou(found == 1, scene.truth > 0) > 0.93
    assert found.max() == 1


def test_unknown_names_say_what_is_near() -> None:
    with pytest.raises(UnknownMethod, match="felzenszwalb"):
        get_method("felzenswalb")
    with pytest.raises(InvalidParams, match="did you mean n_clusters"):
        segment(np.zeros((4, 4), np.uint8), method="kmeans", n_cluster=3)


def test_knobs_and_clean_up_share_no_name(method: str) -> None:
    own = {knob.name for knob in METHODS[method].knobs}
    assert not own & {knob.name for knob in knobs_of(Cleanup)}


def test_every_method_is_described(method: str) -> None:
    assert 20 < len(METHODS[method].summary) < 120
    assert METHODS[method].function.__doc__
    for section in ("Parameters", "Returns", "Cost:", "Fails"):
        assert section in METHODS[method].function.__doc__
    for knob in METHODS[method].knobs:
        assert knob.help.endswith(".")


def test_examples_in_docstrings_hold(method: str) -> None:
    module = importlib.import_module(METHODS[method].function.__module__)
    assert doctest.testmod(module).failed == 0


def test_the_default_exists() -> None:
    assert DEFAULT_METHOD in METHODS
