"""Bars on images with ground truth, with nothing tuned. They stand a little below what is reached, to notice a loss."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from prebrush import segment
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.scoring import score_segments
from scenes import average_precision, covering, iou

NUCLEI = Path(__file__).resolve().parents[2] / "images"
MANY = Cleanup(max_regions=2000)


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def read_map(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image).astype(np.int32)


def nuclei(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for truth in sorted(folder.glob("nuc_*_gt.png")):
        yield read(truth.with_name(truth.name.replace("_gt", ""))), read_map(truth)


def items(folder: Path, domain: str) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    for item in json.loads((folder / "manifest.json").read_text())["items"]:
        if item["domain"] == domain:
            yield read(folder / item["image"]), [read_map(folder / mask) for mask in item["masks"]]


def test_default_on_the_nuclei_kept_here() -> None:
    found = [(segment(image, cleanup=MANY).label_map, truth) for image, truth in nuclei(NUCLEI)]
    assert len(found) == 4
    assert np.mean([iou(label_map > 0, truth > 0) for label_map, truth in found]) > 0.81
    assert np.mean([average_precision(truth, label_map) for label_map, truth in found]) > 0.65


def test_default_on_nuclei(shared_data: Path) -> None:
    found = [(segment(image, cleanup=MANY).label_map, truth) for image, truth in nuclei(shared_data / "nuclei")]
    assert np.mean([iou(label_map > 0, truth > 0) for label_map, truth in found]) > 0.82
    assert np.mean([average_precision(truth, label_map) for label_map, truth in found]) > 0.77


def test_watershed_on_nuclei(shared_data: Path) -> None:
    found = [
        (segment(image, method="watershed", cleanup=MANY).label_map, truth)
        for image, truth in nuclei(shared_data / "nuclei")
    ]
    assert np.mean([iou(label_map > 0, truth > 0) for label_map, truth in found]) > 0.83
    assert np.mean([average_precision(truth, label_map) for label_map, truth in found]) > 0.78


def test_default_on_scenes(shared_data: Path) -> None:
    values = []
    for image, truths in items(shared_data, "bsds"):
        label_map = segment(image, cleanup=Cleanup()).label_map
        values.append(np.mean([covering(truth, label_map) for truth in truths]))
    assert np.mean(values) > 0.56


def joined(truth: np.ndarray, found: np.ndarray) -> float:
    """IoU of a class with all the segments that lie in it for more than half, as somebody would join them."""
    inside = np.bincount(found[truth], minlength=int(found.max()) + 1)
    chosen = 2 * inside > np.bincount(found.ravel())
    chosen[0] = False
    return iou(truth, chosen[found])


@pytest.mark.parametrize(
    ("knobs", "bar"), [({"method": "multi_otsu", "n_classes": 4, "channel": "green", "sigma": 1}, 0.935), ({}, 0.93)]
)
def test_white_blood_cells(shared_data: Path, knobs: dict[str, object], bar: float) -> None:
    values = [
        joined(truths[0] == 2, segment(image, cleanup=MANY, **knobs).label_map)
        for image, truths in items(shared_data, "wbc")
    ]
    assert np.mean(values) > bar


def test_felzenszwalb_on_scenes_over_scale(shared_data: Path) -> None:
    scales = (300, 600, 900)
    table = [
        [
            np.mean([covering(truth, label_map) for truth in truths])
            for scale in scales
            for label_map in [segment(image, method="felzenszwalb", scale=scale).label_map]
        ]
        for image, truths in items(shared_data, "bsds")
    ]
    assert np.mean(table, axis=0).max() > 0.59
    assert np.max(table, axis=1).mean() > 0.61


@pytest.mark.parametrize(("domain", "bar"), [("nuclei", 0.95), ("wbc", 0.95), ("objects", 0.95), ("bsds", 0.82)])
def test_scores_rank_true_objects_over_displaced_ones(shared_data: Path, domain: str, bar: float) -> None:
    rng = np.random.default_rng(0)
    shares = []
    for image, truths in items(shared_data, domain):
        truth = truths[0]
        if domain in ("objects", "wbc"):
            truth = (truth == (255 if domain == "objects" else 2)).astype(np.int32)
        count = min(20, int(truth.max()))
        good = score_segments(truth, image, int(truth.max()))[:count]
        # several places for each where an image has few
        for number in list(range(1, count + 1)) * max(1, 10 // count):
            shift = (int(rng.integers(truth.shape[0])), int(rng.integers(truth.shape[1])))
            moved = np.roll(truth == number, shift, axis=(0, 1)).astype(np.int32)
            shares.append(float((good > score_segments(moved, image, 1)[0]).mean()))
    assert np.mean(shares) > bar
