"""Every step of the clean-up, alone and together."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prebrush.datatypes import Segments
from prebrush.errors import InvalidParams
from prebrush.segmentation.cleanup import UNTOUCHED, Cleanup, clean
from prebrush.segmentation.method import knobs_of, parse_knobs
from scenes import disc


def run(label_map: np.ndarray, classes: tuple[str, ...] = (), wanted: set[str] | None = None, **knobs) -> Segments:
    label_map = label_map.astype(np.int32)
    image = (label_map * 37 % 256).astype(np.uint8)[..., None].repeat(3, axis=2)
    return clean(Segments(label_map, classes=classes), image, dataclasses.replace(UNTOUCHED, **knobs), wanted)


def test_nothing_asked_changes_nothing_but_the_order() -> None:
    label_map = np.zeros((20, 20), np.int32)
    label_map[2:5, 2:5] = 1
    label_map[8:18, 8:18] = 2
    cleaned = run(label_map, ("small", "large"))
    assert cleaned.classes == ("large", "small")
    assert np.array_equal(cleaned.label_map, np.array([0, 2, 1])[label_map])


def test_closing_joins_what_a_crack_divides() -> None:
    label_map = np.zeros((30, 30), np.int32)
    label_map[5:25, 5:25] = 1
    label_map[14:16, :] = 0
    closed = run(label_map, closing=2).label_map
    expected = np.zeros((30, 30), bool)
    expected[5:25, 5:25] = True
    assert np.array_equal(closed > 0, expected | (label_map > 0))


def test_closing_gives_new_pixels_to_the_nearest_segment() -> None:
    label_map = np.zeros((9, 20), np.int32)
    label_map[:, :9] = 1
    label_map[:, 12:] = 2
    closed = run(label_map, ("left", "right"), closing=2)
    names = np.array(["", *closed.classes])[closed.label_map]
    assert (names[4, :10] == "left").all()
    assert (names[4, 11:] == "right").all()
    assert (closed.label_map[2:-2] > 0).all()  # outside the frame is background: the corners of the gap stay


def test_closing_leaves_the_frame_alone() -> None:
    label_map = np.zeros((30, 30), np.int32)
    label_map[3:10, 10:20] = 1
    assert np.array_equal(run(label_map, closing=4).label_map, label_map)


def test_opening_cuts_off_what_is_thin() -> None:
    label_map = disc(60, 60, 30, 30, 14).astype(np.int32)
    with_whisker = label_map.copy()
    with_whisker[29:31, 44:58] = 1
    opened = run(with_whisker, opening=3).label_map
    assert not opened[:, 47:].any()
    assert np.count_nonzero(opened != label_map) < 0.03 * label_map.sum()


def test_opening_treats_segments_apart() -> None:
    label_map = np.full((20, 20), 1)
    label_map[:, 10:] = 2
    label_map[:, 9] = 3  # one pixel wide, between the two
    opened = run(label_map, opening=2)
    assert len(opened) == 2
    assert (opened.label_map[:, 9] == 0).all()
    assert (opened.label_map[:, :9] > 0).all()


def test_smoothing_irons_a_ragged_edge() -> None:
    rng = np.random.default_rng(0)
    straight = np.ones((60, 60), np.int32)
    straight[:, 30:] = 2
    ragged = straight.copy()
    ragged[:, 30] = rng.integers(1, 3, 60)
    ragged[:, 29] = np.where(rng.random(60) < 0.3, 2, 1)
    smooth = run(ragged, smoothing=3).label_map
    sides = lambda m: np.count_nonzero(m[1:] != m[:-1]) + np.count_nonzero(m[:, 1:] != m[:, :-1])  # noqa: E731  a short name for one test
    assert sides(smooth) < 0.6 * sides(ragged)


@pytest.mark.parametrize(
    ("instances", "count", "classes"),
    [("keep", 3, {"a", "b"}), ("split", 4, {"a", "b"}), ("merge", 2, {"a", "b"})],
)
def test_instances(instances: str, count: int, classes: set[str]) -> None:
    label_map = np.zeros((20, 20), np.int32)
    label_map[1:5, 1:5] = 1
    label_map[10:14, 1:5] = 1  # the same segment in two pieces
    label_map[1:5, 10:14] = 2
    label_map[10:14, 10:14] = 3
    cleaned = run(label_map, ("a", "b", "a"), instances=instances)
    assert len(cleaned) == count
    assert set(cleaned.classes) == classes
    for number, name in enumerate(cleaned.classes, start=1):
        before = np.array(["", "a", "b", "a"])[label_map[cleaned.label_map == number]]
        assert (before == name).all()


def test_merge_leaves_segments_without_a_class_alone() -> None:
    label_map = np.arange(1, 5).repeat(9).reshape(4, 9)
    assert len(run(label_map, instances="merge")) == 4


def test_min_area_in_pixels_and_as_a_share() -> None:
    label_map = np.zeros((100, 100), np.int32)
    label_map[:2, :2] = 1
    label_map[10:20, 10:20] = 2
    label_map[30:80, 30:80] = 3
    assert len(run(label_map, min_area=4)) == 3
    assert len(run(label_map, min_area=5)) == 2
    assert len(run(label_map, min_area=0.01)) == 2
    assert len(run(label_map, min_area=0.0101)) == 1
    assert run(label_map, min_area=0.9).label_map.max() == 0


def test_holes_are_filled_up_to_their_size_and_only_within_one_segment() -> None:
    label_map = np.zeros((40, 60), np.int32)
    label_map[5:35, 5:25] = 1
    label_map[5:35, 25:50] = 2
    label_map[10:12, 10:12] = 0  # 4 pixels, in 1
    label_map[20:26, 30:36] = 0  # 36 pixels, in 2
    label_map[30:33, 24:27] = 0  # 9 pixels, between both
    label_map[0:5, 0:5] = 0  # open to the frame
    filled = run(label_map, ("a", "b"), fill_holes=10).label_map
    assert (filled[10:12, 10:12] > 0).all()
    assert not filled[20:26, 30:36].any()
    assert not filled[30:33, 24:27].any()
    assert not filled[0:5].any()
    everything = run(label_map, ("a", "b"), fill_holes=0.5)
    assert (everything.label_map[20:26, 30:36] > 0).all()
    assert everything.classes[everything.label_map[22, 32] - 1] == "b"
    assert not everything.label_map[30:33, 24:27].any()


def test_clear_border() -> None:
    label_map = np.zeros((20, 20), np.int32)
    label_map[0:4, 5:9] = 1
    label_map[8:12, 8:12] = 2
    label_map[15:18, 17:20] = 3
    cleaned = run(label_map, ("top", "inside", "right"), clear_border=True)
    assert cleaned.classes == ("inside",)


def test_cap_keeps_the_largest_and_best_first() -> None:
    label_map = np.zeros((64, 64), np.int32)
    for number, side in enumerate((3, 12, 6, 9), start=1):
        label_map[(number - 1) * 16 : (number - 1) * 16 + side, 4 : 4 + side] = number
    image = np.where(label_map[..., None] > 0, 200, 30).astype(np.uint8).repeat(3, axis=2)
    cleaned = clean(
        Segments(label_map, classes=tuple("abcd")), image, dataclasses.replace(UNTOUCHED, max_regions=2), None
    )
    assert cleaned.classes == ("b", "d")
    assert cleaned.scores is not None
    assert cleaned.scores.shape == (2,)


def test_unwanted_classes_do_not_count_for_the_cap() -> None:
    label_map = np.arange(1, 5).repeat(40).reshape(4, 40)
    cleaned = run(label_map, ("a", "b", "a", "C"), wanted={"c"}, max_regions=1)
    assert cleaned.classes == ("C",)
    assert np.array_equal(cleaned.label_map == 1, label_map == 4)


def test_a_dropped_speck_is_no_hole_afterwards() -> None:
    label_map = np.ones((40, 40), np.int32)
    label_map[20, 20] = 2
    cleaned = run(label_map, min_area=4, fill_holes=4)
    assert (cleaned.label_map == 1).all()


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.int32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)),
    st.builds(
        Cleanup,
        closing=st.sampled_from([0.0, 1.0, 3.0]),
        opening=st.sampled_from([0.0, 1.0]),
        smoothing=st.sampled_from([0.0, 1.0, 2.0]),
        instances=st.sampled_from(["split", "merge", "keep"]),
        min_area=st.sampled_from([0.0, 0.1, 3.0]),
        fill_holes=st.sampled_from([0.0, 5.0]),
        clear_border=st.booleans(),
        max_regions=st.integers(1, 5),
    ),
)
def test_any_map_and_knobs_give_valid_segments(label_map: np.ndarray, cleanup: Cleanup) -> None:
    _, numbered = np.unique(label_map, return_inverse=True)
    numbered = numbered.reshape(label_map.shape).astype(np.int32) + (label_map.min() > 0)
    classes = tuple("xyxy"[: int(numbered.max())])
    image = np.random.default_rng(0).integers(0, 256, (*label_map.shape, 3), dtype=np.uint8)
    # making the result checks numbers, scores and classes
    cleaned = clean(Segments(numbered, classes=classes), image, cleanup)
    assert len(cleaned) <= cleanup.max_regions
    again = clean(Segments(numbered, classes=classes), image, cleanup)
    assert np.array_equal(cleaned.label_map, again.label_map)


def test_many_segments_stay_quick_in_kind() -> None:
    # 40,000 single pixels: a pass over the image for each of them would not end within the time limit
    label_map = np.arange(1, 40_001, dtype=np.int32).reshape(200, 200)
    cleaned = clean(Segments(label_map), np.zeros((200, 200, 3), np.uint8), Cleanup(min_area=0.0, smoothing=2.0))
    assert len(cleaned) == 30


def test_knobs_are_declared_like_a_method_s() -> None:
    for knob in knobs_of(Cleanup):
        assert knob.help.endswith(".")
    with pytest.raises(InvalidParams, match="max_regions"):
        parse_knobs(Cleanup, {"max_regions": 0}, owner="clean-up")
