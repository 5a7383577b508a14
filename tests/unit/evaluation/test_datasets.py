"""Data sets as people keep them: a manifest, images and masks by name, an export of Label Studio."""

import json

import numpy as np
import pytest
from PIL import Image

from prebrush.errors import DatasetError, ImageUnreadable, InvalidParams
from prebrush.evaluation.datasets import read_dataset, read_mask
from prebrush.labelstudio import rle

TWO = np.array([[0, 0, 7, 7], [0, 0, 9, 9]], np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def photo(path, height=2, width=4):
    save(path, np.full((height, width, 3), 90, np.uint8))


def test_a_manifest(tmp_path):
    photo(tmp_path / "a.png")
    save(tmp_path / "a_gt.png", np.array([[0, 128, 255, 255]] * 2, np.uint8))
    entry = {"id": "a", "domain": "things", "task": "interactive", "mask_kind": "fg_bg_ignore", "image": "a.png"}
    entry |= {"masks": ["a_gt.png"], "bbox": [2, 0, 2, 1]}
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 1, "items": [entry]}))
    (item,) = read_dataset(tmp_path)
    assert (item.name, item.group, item.kind, item.box) == ("a", "things", "interactive", (0, 2, 1, 4))
    (truth,) = item.read_truths()
    assert truth.dtype == np.int32
    assert truth.tolist() == [[0, -1, 1, 1]] * 2


def test_the_shared_images(shared_data):
    items = read_dataset(shared_data)
    assert {item.kind for item in items} == {"regions", "instances", "classes", "interactive"}
    assert len(items) == len({item.name for item in items})
    for item in items:
        assert all(truth.min() >= -1 and truth.max() > 0 for truth in item.read_truths())


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "not as expected"),
        ({"id": "a", "task": "guessing", "image": "a.png", "masks": []}, "guessing"),
        ({"id": "a", "task": "interactive", "image": "a.png", "masks": []}, "bbox"),
    ],
)
def test_a_manifest_that_is_wrong_is_named(tmp_path, entry, words):
    (tmp_path / "manifest.json").write_text(json.dumps({"items": [entry]}))
    with pytest.raises(DatasetError, match=words):
        read_dataset(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"items": []}', '{"items": 3}'])
def test_a_manifest_that_is_no_manifest(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DatasetError, match="items"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a.jpg", "a.png"),
        ("a.png", "a_mask.png"),
        ("a.jpg", "a_gt1.tif"),
        ("images/a.png", "masks/a.png"),
        ("images/a.jpg", "masks/a-labels.png"),
    ],
)
def test_images_and_masks_of_one_name(tmp_path, image, mask):
    photo(tmp_path / image)
    save(tmp_path / mask, TWO)
    (item,) = read_dataset(tmp_path)
    assert (item.name, item.kind, item.image) == (image, "instances", tmp_path / image)
    assert item.read_truths()[0].tolist() == [[0, 0, 1, 1], [0, 0, 2, 2]]


def test_several_annotators_of_one_image(tmp_path):
    photo(tmp_path / "a.jpg")
    for number in (1, 2):
        save(tmp_path / f"a_gt{number}.png", np.full((2, 4), number, np.uint8))
    (item,) = read_dataset(tmp_path)
    assert item.kind == "regions"
    assert [truth.tolist() for truth in item.read_truths()] == [[[1] * 4] * 2] * 2


def test_one_value_beside_0_is_a_class(tmp_path):
    photo(tmp_path / "a.jpg")
    save(tmp_path / "a.png", np.where(TWO > 0, 255, 0).astype(np.uint8))
    (item,) = read_dataset(tmp_path)
    assert (item.kind, item.classes) == ("classes", {1: "object"})
    assert item.read_truths()[0].tolist() == [[0, 0, 1, 1]] * 2


def test_a_class_keeps_its_number_where_others_are_absent(tmp_path):
    for name, mask in (("a", TWO), ("b", np.where(TWO == 9, 9, 0).astype(np.uint8))):
        photo(tmp_path / f"{name}.jpg")
        save(tmp_path / f"{name}.png", mask)
    first, second = read_dataset(tmp_path, kind="classes")
    assert first.classes == {1: "value 7", 2: "value 9"}
    assert first.read_truths()[0].max() == second.read_truths()[0].max() == 2


def test_a_folder_without_pairs_says_what_was_expected(tmp_path):
    photo(tmp_path / "a.jpg")
    with pytest.raises(DatasetError, match="images and masks"):
        read_dataset(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        read_dataset(tmp_path / "nothing")
    with pytest.raises(InvalidParams, match="instances"):
        read_dataset(tmp_path, kind="things")


def test_masks_of_any_mode(tmp_path):
    path = tmp_path / "mask.png"
    save(path, (TWO.astype(np.uint16) * 1000))
    assert read_mask(path).max() == 9000
    Image.fromarray(TWO > 0).save(path)
    assert np.unique(read_mask(path)).tolist() == [0, 1]
    palette = Image.fromarray(TWO)
    palette.putpalette([value % 256 for value in range(768)])
    palette.save(path)
    assert read_mask(path).max() == 9
    save(path, np.dstack([TWO, TWO * 0, TWO * 0]))
    assert np.unique(read_mask(path)).size == 3
    assert read_mask(path)[0, 0] == 0
    save(path, np.dstack([TWO, TWO, TWO, np.full_like(TWO, 255)]))
    assert np.array_equal(read_mask(path), TWO)
    path.write_text("no image")
    with pytest.raises(ImageUnreadable, match=r"mask\.png"):
        read_mask(path)


def brush(number, mask, label, **more):
    value = {"format": "rle", "rle": rle.encode_mask(mask).tolist(), "brushlabels": [label]}
    size = {"original_height": mask.shape[0], "original_width": mask.shape[1]}
    return {"id": f"r{number}", "type": "brushlabels", "from_name": "tag", "value": value, **size, **more}


def export(tmp_path, *results, image="/data/upload/1/0a1b2c3d-a.png", **annotation):
    task = {"id": 1, "data": {"text": "hello", "image": image}}
    path = tmp_path / "export.json"
    path.write_text(json.dumps([{**task, "annotations": [{"result": list(results), **annotation}]}]))
    return path


def test_an_export_of_classes(tmp_path):
    photo(tmp_path / "a.png")
    regions = [brush(1, TWO > 0, "Cell"), brush(2, TWO == 9, "Core")]
    (item,) = read_dataset(export(tmp_path, *regions))
    assert (item.kind, item.image, item.group) == ("classes", tmp_path / "a.png", "export")
    assert item.classes == {1: "Cell", 2: "Core"}
    assert item.read_truths()[0].tolist() == [[0, 0, 1, 1], [0, 0, 2, 2]]


def test_an_export_of_instances(tmp_path):
    photo(tmp_path / "a.png")
    path = export(tmp_path, brush(1, TWO == 7, "Cell"), brush(2, TWO == 9, "Cell"))
    (item,) = read_dataset(path)
    assert item.kind == "instances"
    assert item.read_truths()[0].tolist() == [[0, 0, 1, 1], [0, 0, 2, 2]]
    (item,) = read_dataset(path, kind="classes")
    assert item.read_truths()[0].max() == 1


def test_a_region_stored_under_two_tags_is_one(tmp_path):
    photo(tmp_path / "a.png")
    plain = brush(1, TWO == 7, "")
    plain["type"] = "brush"
    named = brush(1, TWO == 7, "")
    named |= {"type": "labels", "value": {**named["value"], "labels": ["Cell"]}}
    (item,) = read_dataset(export(tmp_path, plain, named))
    assert item.classes == {1: "Cell"}


@pytest.mark.parametrize(
    "address",
    [
        "a.png",
        "pictures/a.png",
        "/data/upload/7/a.png",
        "/data/upload/7/0a1b2c3d-a.png",
        "/data/local-files/?d=pictures/a.png",
        "s3://bucket/some/a.png",
        "https://host.example/x/a.png?token=1",
    ],
)
def test_images_of_an_export_are_found(tmp_path, address):
    name = "pictures/a.png" if "pictures" in address else "a.png"
    photo(tmp_path / "elsewhere" / name)
    path = export(tmp_path, brush(1, TWO == 7, "Cell"), image=address)
    (item,) = read_dataset(path, images=tmp_path / "elsewhere")
    assert item.image == tmp_path / "elsewhere" / name
    with pytest.raises(DatasetError, match="--images"):
        read_dataset(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{", "not a JSON export"),
        ("{}", "list of tasks"),
        ('[{"image": "a.png", "tag": []}]', "JSON-MIN"),
        ('[{"id": 1, "data": {}, "annotations": [{"result": []}]}]', "no task has a brush"),
    ],
)
def test_an_export_that_cannot_be_used_says_why(tmp_path, text, words):
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=words):
        read_dataset(path)


def test_cancelled_annotations_do_not_count(tmp_path):
    photo(tmp_path / "a.png")
    with pytest.raises(DatasetError, match="no task has a brush"):
        read_dataset(export(tmp_path, brush(1, TWO == 7, "Cell"), was_cancelled=True))


@pytest.mark.parametrize("broken", [{"original_height": None}, {"value": {"rle": [1, 2, 3], "brushlabels": ["Cell"]}}])
def test_a_broken_region_is_an_error_that_says_so(tmp_path, broken):
    photo(tmp_path / "a.png")
    (item,) = read_dataset(export(tmp_path, {**brush(1, TWO == 7, "Cell"), **broken}))
    with pytest.raises(DatasetError, match=r"export\.json: task 1: the brush region labelled 'Cell'"):
        item.read_truths()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"annotations": 5}, r"the export\[0\]\.annotations: expected array or null, got int"),
        ({"annotations": [None]}, r"the export\[0\]\.annotations\[0\]: expected object, got null"),
        ({"annotations": [{"result": [{"value": "x"}]}]}, r"result\[0\]\.value: expected object or null, got str"),
        ({"annotations": [{"result": [{"original_width": "x"}]}]}, r"original_width: expected int or null, got str"),
        ({"data": "x"}, r"the export\[0\]\.data: expected object or null, got str"),
        ({"data": {"image": 5}}, "task 1: its data hold no address of an image"),
    ],
)
def test_an_export_of_another_form_is_told_where(tmp_path, change, words):
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [brush(1, TWO == 7, "Cell")]}]}
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task | change]))
    with pytest.raises(DatasetError, match=words):
        read_dataset(path)
