"""Image files in; overlay, label map and prediction out: what `prebrush segment` does for each file."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from prebrush.datatypes import Control, Label, LabelMap, Prediction, Prompt, Region, RGBImage, Segments
from prebrush.errors import ImageError, ImageNotFound, ImageTooLarge, PrebrushError
from prebrush.images import decode_image
from prebrush.labelstudio.result import encode_entry, encode_prediction, stable_id
from prebrush.naming import LabelRule, name_segments
from prebrush.overlay import draw_overlay, encode_png
from prebrush.pictures import image_limits
from prebrush.planning import Recipe, short_hash
from prebrush.predictor import compute_segments
from prebrush.settings import Settings

MOST_LABELS = 65_535
"""Numbers that a 16-bit PNG can hold."""


def segment_file(
    path: Path, folder: Path, recipe: Recipe, prompt: Prompt, labels: tuple[str, ...], settings: Settings
) -> dict[str, Any]:
    """Segment one file and write ``NAME.overlay.png``, ``NAME.labels.png`` and ``NAME.json`` into `folder`.

    Returns
    -------
    facts : dict
        ``image``, ``width``, ``height``, ``method``, ``segments`` and the three paths.

    Raises
    ------
    ImageError
        The file cannot be read as an image.
    PrebrushError
        The folder cannot be written.
    """
    pixels = load_image(path, settings)
    segments = compute_segments(pixels, recipe, prompt)
    control = Control("label", "image", "BrushLabels", "image", labels=tuple(Label(name) for name in labels))
    names = tuple(name or "" for name in name_segments(segments, pixels, control.labels, LabelRule()))
    # one colour for all would hide where one segment ends: without labels, only several classes are told apart
    shown = names if labels else segments.classes if len(set(segments.classes)) > 1 else ()
    names = names if labels else tuple(name or "segment" for name in segments.classes)
    targets = {kind: folder / f"{path.stem}.{kind}" for kind in ("overlay.png", "labels.png", "json")}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        targets["overlay.png"].write_bytes(encode_png(draw_overlay(pixels, segments.label_map, shown)))
        targets["labels.png"].write_bytes(_encode_label_map(segments.label_map))
        targets["json"].write_bytes(_encode_json(segments, names, control, recipe))
    except OSError as error:
        raise PrebrushError(f"cannot write into {folder}: {error.strerror}") from error
    height, width = segments.label_map.shape
    facts: dict[str, Any] = {"image": str(path), "width": width, "height": height, "method": recipe.method.name}
    facts["segments"] = len(segments)
    return {**facts, **{kind.partition(".")[0]: str(target) for kind, target in targets.items()}}


def load_image(path: Path, settings: Settings) -> RGBImage:
    """Read an image file: uint8 (H, W, 3), RGB, upright.

    Raises
    ------
    ImageError
        It cannot be read as an image, or is over a limit; the message names it.
    """
    body = _read(path, settings.images.max_bytes)
    try:
        return decode_image(body, image_limits(settings))
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from error


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ImageTooLarge(f"{path} has {size} bytes, over images.max_bytes = {max_bytes}")
        return path.read_bytes()
    except OSError as error:
        raise ImageNotFound(f"cannot read {path}: {error.strerror}") from error


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
