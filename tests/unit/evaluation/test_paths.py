"""A data set that somebody else made names files of this machine: those outside its folder are not opened."""

import json

import numpy as np
import pytest
from PIL import Image as PillowImage

from prebrush.errors import DatasetError
from prebrush.evaluation.datasets import read_dataset
from prebrush.labelstudio import rle

MASK = np.ones((2, 4), np.bool_)


@pytest.fixture
def folder(tmp_path):
    """A folder beside which lies a picture that is none of its own, with a link to it inside."""
    folder = tmp_path / "data set"
    folder.mkdir()
    for path in (tmp_path / "secret.png", folder / "own.png"):
        PillowImage.new("RGB", (4, 2)).save(path)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "linked").symlink_to(tmp_path)
    return folder


OUTSIDE = ["../secret.png", "{}/secret.png", "link.png", "linked/secret.png", "own/../../secret.png", "/../secret.png"]


@pytest.mark.parametrize("name", [*OUTSIDE, "%2e%2e/secret.png", "/data/local-files/?d=../secret.png"])
def test_an_export_opens_no_image_outside_its_folder(folder, name):
    value = {"format": "rle", "rle": rle.encode_mask(MASK).tolist(), "brushlabels": ["A"]}
    region = {"id": "r", "type": "brushlabels", "value": value, "original_height": 2, "original_width": 4}
    task = {"id": 1, "annotations": [{"result": [region]}]}
    path = folder / "export.json"
    path.write_text(json.dumps([{**task, "data": {"image": name.format(folder.parent)}}]))
    with pytest.raises(DatasetError, match="is not under"):
        read_dataset(path)
    path.write_text(json.dumps([{**task, "data": {"image": "own.png"}}]))
    assert len(read_dataset(path)) == 1


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("field", ["image", "masks"])
def test_a_manifest_opens_nothing_outside_its_folder(folder, name, field):
    name = name.format(folder.parent)
    entry = {"id": "1", "task": "instances", "image": "own.png", "masks": ["own.png"]}
    entry[field] = name if field == "image" else [name]
    (folder / "manifest.json").write_text(json.dumps({"items": [entry]}))
    with pytest.raises(DatasetError, match="leads out of the folder"):
        list(read_dataset(folder))


def test_a_region_that_claims_a_huge_image_takes_no_memory(folder):
    value = {"format": "rle", "rle": [255, 255, 255, 255, 57, 0, 0], "brushlabels": ["A"]}
    region = {"id": "r", "type": "brushlabels", "value": value, "original_height": 10**7, "original_width": 10**7}
    task = {"id": 1, "data": {"image": "own.png"}, "annotations": [{"result": [region]}]}
    (folder / "export.json").write_text(json.dumps([task]))
    (item,) = read_dataset(folder / "export.json")
    with pytest.raises(DatasetError, match="cannot be decoded"):
        item.read_truths()
