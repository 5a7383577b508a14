"""How few clicks real objects and cells need."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from prebrush.datatypes import Prompt
from prebrush.evaluation.clicks import click_ious
from prebrush.segmentation.methods.prompt import find_object, prepare


def shared(shared_data: Path, domain: str) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for item in json.loads((shared_data / "manifest.json").read_text())["items"]:
        if item["domain"] == domain:
            with Image.open(shared_data / item["image"]) as opened:
                image = np.array(opened.convert("RGB"))
            found.append((image, np.array(Image.open(shared_data / item["masks"][0])).astype(np.int32)))
    return found


def test_every_point_of_the_shared_images_is_in_or_out(shared_data: Path) -> None:
    rng = np.random.default_rng(0)
    for domain in ("objects", "wbc", "nuclei"):
        for image, _ in shared(shared_data, domain)[:4]:
            ready = prepare(image)
            height, width = image.shape[:2]
            for _ in range(12):
                row, col = int(rng.integers(height)), int(rng.integers(width))
                mask = find_object(ready, Prompt(points=((row, col, True),)))
                assert mask[row, col]
                # what was taken is clicked away again, and a corner that was not is added
                taken = np.argwhere(mask)
                there = tuple(taken[rng.integers(len(taken))].tolist())
                assert not find_object(ready, Prompt(points=((row, col, True), (*there, False))))[there]
                other = (int(rng.integers(height)), int(rng.integers(width)))
                assert find_object(ready, Prompt(points=((row, col, True), (*other, True))))[other]


def test_few_clicks_are_enough(shared_data: Path) -> None:
    counts = {0.85: [], 0.9: []}
    for image, truth in shared(shared_data, "objects"):
        ready = prepare(image)
        wanted = np.where(truth == 128, -1, truth > 0).astype(np.int32)
        reached = list(click_ious(wanted, lambda prompt, ready=ready: find_object(ready, prompt), 0.9))
        for good, found in counts.items():
            found.append(next((place + 1 for place, each in enumerate(reached) if each >= good), 20))
    assert np.mean(counts[0.85]) < 4.5
    assert np.mean(counts[0.9]) < 5.5


def test_a_click_on_a_cell_gives_the_cell(shared_data: Path) -> None:
    found = []
    for image, truth in shared(shared_data, "wbc"):
        cell = (truth > 0).astype(np.int32)
        ready = prepare(image)
        found.append(next(iter(click_ious(cell, lambda prompt, ready=ready: find_object(ready, prompt), 1.0))))
    # the middle of a cell is in its nucleus, and for some that is the answer
    assert np.median(found) > 0.9
