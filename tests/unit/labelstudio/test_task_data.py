import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebrush.datatypes import Control, Label
from prebrush.errors import ImageNotFound, InvalidBody
from prebrush.labelstudio.task_data import (
    MAX_IMAGES,
    MAX_LABELS,
    MAX_LABELS_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    first_key,
    image_addresses,
    labels_of,
    look_up,
    resolve,
)


def control(address: str = "$image", **more) -> Control:
    return Control("mask", "image", "BrushLabels", first_key(address), address=address, **more)


@pytest.mark.parametrize(
    ("address", "data", "found"),
    [
        ("$image", {"image": "a.png"}, "a.png"),
        ("$page.url", {"page": {"url": "a.png"}}, "a.png"),
        ("$page.url", {"page.url": "flat.png", "page": {"url": "a.png"}}, "flat.png"),
        ("$pages[1].url", {"pages": [{}, {"url": "b.png"}]}, "b.png"),
        ("https://host/$name.png", {"name": "x", "name.png": "y"}, "https://host/y"),
        ("/data/$folder/$file", {"folder": "f", "file": 7}, "/data/f/7"),
        ("https://host/one.png", {}, "https://host/one.png"),
        ("$image", {"image": ["first.png", "second.png"]}, "first.png"),
    ],
)
def test_address_of_the_image(address: str, data: dict, found: str) -> None:
    assert image_addresses(control(address), data) == (found,)


def test_addresses_of_a_list() -> None:
    pages = control("$pages", is_list=True)
    assert image_addresses(pages, {"pages": ["a", "b"]}) == ("a", "b")
    assert image_addresses(pages, {"pages": "a"}) == ("a",)


@pytest.mark.parametrize("value", [None, "", [], 5, {"url": "x"}, [None], ["a", ""]])
def test_what_is_no_address(value) -> None:
    with pytest.raises(ImageNotFound, match=r"<Image name=\"image\"> takes its image from '\$image'"):
        image_addresses(control(is_list=True), {"image": value})


def test_a_missing_key_names_those_that_are_there() -> None:
    with pytest.raises(ImageNotFound, match="has only: img, text"):
        image_addresses(control(), {"img": "a.png", "text": "t"})


def test_text_around_variables_is_bounded_once_they_are_filled_in() -> None:
    data = {"a": "x" * 1000}
    assert len(resolve("$a " * 60, data)) == 60 * 1001
    with pytest.raises(InvalidBody, match=f"more than {MAX_TEXT_CHARACTERS} characters"):
        image_addresses(control("$a " * 66), data)
    with pytest.raises(InvalidBody, match="characters"):
        resolve("$none " * MAX_TEXT_CHARACTERS, data)


def test_what_is_too_long_is_never_put_together() -> None:
    data = {"a": "x" * 1_000_000}
    tracemalloc.start()
    try:
        with pytest.raises(InvalidBody):
            resolve("$a " * 1000, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_variable_alone_may_hold_a_whole_image() -> None:
    inline = "data:image/png;base64," + "A" * MAX_TEXT_CHARACTERS
    assert image_addresses(control(), {"image": inline}) == (inline,)


def test_the_images_of_a_task_are_bounded() -> None:
    pages = control("$pages", is_list=True)
    assert len(image_addresses(pages, {"pages": ["a"] * MAX_IMAGES})) == MAX_IMAGES
    with pytest.raises(InvalidBody, match=f"{MAX_IMAGES + 1} images, at most {MAX_IMAGES}"):
        image_addresses(pages, {"pages": ["a"] * (MAX_IMAGES + 1)})


def test_first_key() -> None:
    assert [first_key(text) for text in ("$a.b", "x/$c[0]", "plain", "$")] == ["a", "c", "", ""]


def test_labels_of_a_task_come_after_those_of_the_config() -> None:
    dynamic = control(labels=(Label("Cat", ("foreground",)),), labels_key="more.labels")
    entries = [
        "Dog",
        {"value": "Cat"},
        {"value": "Bird", "alias": "b", "predicted_values": "cluster-0, cluster-1"},
        {"value": "Tree", "children": [{"value": "Oak"}, "Elm"]},
        5,
        {"value": None},
    ]
    assert labels_of(dynamic, {"more": {"labels": entries}}) == (
        Label("Cat", ("foreground",)),
        Label("Dog"),
        Label("b", ("cluster-0", "cluster-1"), "Bird"),
        Label("Tree"),
        Label("Oak"),
        Label("Elm"),
    )
    assert labels_of(dynamic, {}) == (Label("Cat", ("foreground",)),)


def test_a_label_may_be_a_variable() -> None:
    assert labels_of(control(labels=(Label("$kind"), Label("$none"))), {"kind": "Cat"}) == (Label("Cat"),)


def entries_of(count: int, kind: str) -> list:
    names = [f"label {number}" for number in range(count)]
    return {
        "different": names,
        "alike": ["label"] * count,
        "no labels": [5] * count,
        "children": [{"value": "all", "children": names[1:]}],
    }[kind]


@pytest.mark.parametrize("kind", ["different", "alike", "no labels", "children"])
def test_the_labels_of_a_task_are_bounded(kind: str) -> None:
    dynamic = control(labels_key="labels")
    labels_of(dynamic, {"labels": entries_of(MAX_LABELS, kind)})
    with pytest.raises(InvalidBody, match=f"at most {MAX_LABELS}"):
        labels_of(dynamic, {"labels": entries_of(MAX_LABELS + 1, kind)})


def test_labels_with_variables_are_bounded_together() -> None:
    text = "x" * 1000
    count = MAX_LABELS_CHARACTERS // len(text) + 1
    labels = tuple(Label(f"{number} $kind") for number in range(count))
    assert len(labels_of(control(labels=labels[: count // 2]), {"kind": text})) == count // 2
    with pytest.raises(InvalidBody, match=f"at most {MAX_LABELS_CHARACTERS} characters"):
        labels_of(control(labels=labels), {"kind": text})


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab0", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="$ab0[].{}/ 9", max_size=12), st.dictionaries(st.text("ab0.[]", max_size=3), JSON, max_size=4))
def test_any_expression_has_an_answer(expression: str, data: dict) -> None:
    resolve(expression, data)
    look_up(expression, data)
    labels_of(control(expression, labels_key=expression), data)
    with suppress(ImageNotFound):
        assert all(isinstance(address, str) for address in image_addresses(control(expression, is_list=True), data))
