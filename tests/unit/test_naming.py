"""Which label a segment gets, rule by rule."""

import numpy as np
import pytest

from prebrush.datatypes import Label, Segments
from prebrush.errors import InvalidParams
from prebrush.naming import LabelRule, background_label, find_unmatched, name_segments, wanted_classes
from prebrush.segmentation import METHODS


def strips(*classes, widths=None):
    """Make segments 1..n side by side."""
    widths = widths or [1] * len(classes)
    row = np.repeat(np.arange(1, len(classes) + 1, dtype=np.int32), widths)
    return Segments(np.tile(row, (4, 1)), classes=classes)


def labels(*names):
    return tuple(Label(name) for name in names)


def test_predicted_values_decide_and_leave_out_the_rest():
    named = (Label("Cell", ("cluster-1", "Foreground")), Label("Dirt", ("cluster-0",)))
    found = name_segments(strips("cluster-0", "cluster-1", "cluster-2", "foreground"), None, named, LabelRule())
    assert found == ("Dirt", "Cell", None, "Cell")
    assert wanted_classes(named) == {"cluster-0", "cluster-1", "foreground"}


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("threshold", ()),
        ("threshold", ("foreground",)),
        ("threshold", ("Foreground", "car")),
        ("threshold", ("background",)),
        ("kmeans", ("cluster-12",)),
        ("multi_otsu", ("class-0", "class-3")),
        ("slic", ("background",)),
    ],
)
def test_a_label_that_asks_for_what_the_method_gives_is_not_doubted(method, values):
    assert find_unmatched((Label("Cell", values),), METHODS[method]) == ""


@pytest.mark.parametrize(
    ("method", "values", "write"),
    [
        ("threshold", ("cluster-0",), 'write predicted_values="foreground"'),
        ("kmeans", ("cluster",), 'write predicted_values="cluster-0"'),
        ("kmeans", ("cluster-x", "dog"), 'write predicted_values="cluster-0"'),
        ("slic", ("foreground",), "slic gives no class"),
    ],
)
def test_a_label_that_no_segment_can_get_is_told_with_what_to_write(method, values, write):
    said = find_unmatched(
        (Label("Cell", ("background",)), Label("Dirt", values), Label("Dust", values)), METHODS[method]
    )
    assert "'Dirt' (and 1 more)" in said
    assert write in said
    assert "leave it out" in said


def test_a_label_of_the_same_name_comes_next():
    assert name_segments(strips("foreground"), None, labels("Other", "Foreground"), LabelRule()) == ("Foreground",)


def test_then_the_methods_own_order_and_then_the_first_label():
    found = name_segments(strips("cluster-0", "cluster-1", "cluster-2"), None, labels("A", "B"), LabelRule())
    assert found == ("A", "B", "A")


def test_order_passes_over_a_label_called_background():
    assert name_segments(strips("foreground", ""), None, labels("Background", "Object"), LabelRule()) == ("Object",) * 2


def test_no_labels_at_all():
    assert name_segments(strips("foreground", ""), None, (), LabelRule()) == ("", "")


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (labels("Object"), None),
        (labels("Object", "background"), "background"),
        ((Label("Cell", ("foreground",)), Label("Glass", ("background",))), "Glass"),
    ],
)
def test_background_is_sent_only_where_a_label_asks_for_it(named, expected):
    assert background_label(named) == expected


def test_size_by_given_bounds():
    rule = LabelRule(rule="size", bounds="10,30")
    found = name_segments(strips("", "", "", widths=[2, 5, 20]), None, labels("S", "M", "L"), rule)
    assert found == ("S", "M", "L")


def test_size_by_the_widest_gap():
    found = name_segments(
        strips("", "", "", "", widths=[2, 3, 40, 50]), None, labels("small", "large"), LabelRule(rule="size")
    )
    assert found == ("small", "small", "large", "large")


def test_brightness_and_color():
    segments = strips("", "")
    image = np.zeros((4, 2, 3), np.uint8)
    image[:, 0] = (200, 30, 30)
    image[:, 1] = (240, 240, 240)
    assert name_segments(segments, image, labels("dark", "bright"), LabelRule(rule="brightness")) == ("dark", "bright")
    rule = LabelRule(rule="color", colors="#ffffff,#c01010")
    assert name_segments(segments, image, labels("white", "red"), rule) == ("red", "white")


@pytest.mark.parametrize("bounds", ["x", "3,2", "nan", "1,inf"])
def test_bounds_must_rise(bounds):
    with pytest.raises(InvalidParams, match="bounds"):
        LabelRule(rule="size", bounds=bounds)


@pytest.mark.parametrize("colors", ["", "red", "#12345"])
def test_colors_must_be_hex(colors):
    with pytest.raises(InvalidParams, match="#rrggbb"):
        LabelRule(rule="color", colors=colors)


def test_more_bounds_than_labels():
    with pytest.raises(InvalidParams, match="too many"):
        name_segments(strips(""), None, labels("A"), LabelRule(rule="size", bounds="5"))
