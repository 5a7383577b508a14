"""Image files in; overlay, label map and prediction out: what `prebrush segment` does for each file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from prebrush.datatypes import Control, Label, LabelMap, Prediction, Prompt, Region, RGBImage, Segments
from prebrush.errors import ImageError, ImageNotFound, ImageTooLarge, InvalidPrompt, PrebrushError
from prebrush.images import decode_image
from prebrush.labelstudio.result import encode_entry, encode_prediction, stable_id
from prebrush.naming import LabelRule, name_segments
from prebrush.overlay import draw_overlay, encode_png
from prebrush.pictures import image_limits
from prebrush.recipes import Recipe, recipe_for_marks, short_hash
from prebrush.segmenter import compute_segments, explain, segment_marked
from prebrush.settings import Settings

MOST_LABELS = 65_535
"""Numbers that a 16-bit PNG can hold."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is done with each file.

    Attributes
    ----------
    recipe : Recipe
    prompt : Prompt
        In pixels; empty for automatic segmentation.
    labels : tuple of str
        In order; empty shows the segments' classes.
    rule : LabelRule
    folder : Path
        Where the results go; made if it is not there.
    """

    recipe: Recipe
    prompt: Prompt
    labels: tuple[str, ...]
    rule: LabelRule
    folder: Path


def segment_file(path: Path, name: str, job: Job, settings: Settings) -> dict[str, Any]:
    """Segment one file and write ``NAME.overlay.png``, ``NAME.labels.png`` and ``NAME.json``.

    Returns
    -------
    facts : dict
        ``image``, ``width``, ``height``, ``method``, ``why`` that method, ``segments`` and the three paths.

    Raises
    ------
    ImageError
        The file cannot be read as an image.
    InvalidPrompt
        The marks hit nothing.
    PrebrushError
        The folder cannot be written.
    """
    pixels = load_image(path, settings)
    _check_on_image(path, job.prompt, *pixels.shape[:2])
    if job.prompt:
        segments = segment_marked(pixels, recipe_for_marks(job.recipe), job.prompt)
    else:
        segments = compute_segments(pixels, job.recipe)
    control = Control("label", "image", "BrushLabels", "image", labels=tuple(Label(label) for label in job.labels))
    names = tuple(found or "" for found in name_segments(segments, pixels, control.labels, job.rule))
    # one colour for all would hide where one segment ends: without labels, only several classes are told apart
    shown = names if job.labels else segments.classes if len(set(segments.classes)) > 1 else ()
    names = names if job.labels else tuple(found or "segment" for found in segments.classes)
    targets = {kind: job.folder / f"{name}.{kind}" for kind in ("overlay.png", "labels.png", "json")}
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        targets["overlay.png"].write_bytes(encode_png(draw_overlay(pixels, segments.label_map, shown)))
        targets["labels.png"].write_bytes(_encode_label_map(segments.label_map))
        targets["json"].write_bytes(_encode_json(segments, names, control, job.recipe))
    except OSError as error:
        raise PrebrushError(f"cannot write into {job.folder}: {error.strerror}") from error
    height, width = segments.label_map.shape
    recipe = recipe_for_marks(job.recipe) if job.prompt else job.recipe
    facts: dict[str, Any] = {"image": str(path), "width": width, "height": height, "method": recipe.method.name}
    why = explain(pixels, recipe)
    if recipe.method.name != job.recipe.method.name:
        why = f"{why}, as {job.recipe.method.name} answers no marks"
    facts |= {"why": why, "segments": len(segments)}
    return {**facts, **{kind.partition(".")[0]: str(target) for kind, target in targets.items()}}


def _check_on_image(path: Path, prompt: Prompt, height: int, width: int) -> None:
    """Refuse marks beside the image, which would be answered at its border."""
    size = f"{path} has {width} x {height} pixels"
    for row, col, _ in prompt.points:
        if not (0 <= row < height and 0 <= col < width):
            raise InvalidPrompt(f"{size}; the point {col},{row} is not on it")
    for top, left, bottom, right in prompt.boxes:
        if top >= height or left >= width or bottom <= 0 or right <= 0:
            raise InvalidPrompt(f"{size}; the box {left},{top},{right},{bottom} is not on it")


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Name the results of each file after it; of files with one name, the later ones get a number."""
    names: list[str] = []
    for path in paths:
        name, number = path.stem, 1
        while name in names:
            number += 1
            name = f"{path.stem}-{number}"
        names.append(name)
    return names


def load_image(path: Path, settings: Settings) -> RGBImage:
    """Read an image file: uint8 (H, W, 3), RGB, upright.

    Raises
    ------
    ImageError
        It cannot be read as an image, or is over a limit; the message names it.
    """
    try:
        return decode_image(_read(path, settings.images.max_bytes), image_limits(settings))
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ImageTooLarge(f"it has {size} bytes, over images.max_bytes = {max_bytes}")
        return path.read_bytes()
    except OSError as error:
        raise ImageNotFound(f"cannot be read: {error.strerror}") from error


def _encode_label_map(label_map: LabelMap) -> bytes:
    """Write a 16-bit PNG."""
    count = int(label_map.max(initial=0))
    if count > MOST_LABELS:
        raise PrebrushError(f"{count} segments do not fit a 16-bit label map ({MOST_LABELS} at most); set max_regions")
    return bytes(cv2.imencode(".png", label_map.astype(np.uint16))[1])


def _encode_json(segments: Segments, names: tuple[str, ...], control: Control, recipe: Recipe) -> bytes:
    """Write the prediction as Label Studio imports it, indented for people."""
    scores = [None] * len(segments) if segments.scores is None else segments.scores.tolist()
    regions = tuple(
        Region(i + 1, name, score, control, stable_id(recipe.fingerprint, i + 1))
        for i, (name, score) in enumerate(zip(names, scores, strict=True))
    )
    version = f"prebrush-{recipe.method.name}-{short_hash(recipe.fingerprint)}"
    mean = None if segments.scores is None or not len(segments) else float(segments.scores.mean())
    return encode_entry(encode_prediction(Prediction(segments.label_map, regions)), mean, version)
