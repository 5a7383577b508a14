"""Images with ground truth: a folder with a manifest, a folder of images and masks, or a Label Studio export."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from prebrush.datatypes import LabelMap
from prebrush.errors import DatasetError, ImageUnreadable, InvalidParams
from prebrush.evaluation.exports import read_export
from prebrush.evaluation.items import IMAGE_ENDINGS, KINDS, UNDECIDED, Item, Kind, is_below

MANIFEST = "manifest.json"
MASK_ENDINGS = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif"})
MASK_SUFFIX = re.compile(r"[_.-](?:mask|gt|truth|labels?)\d*$", re.IGNORECASE)
"""What may follow an image's name in that of its mask; a number tells annotators apart."""


def read_dataset(source: Path, kind: str | None = None, images: Path | None = None) -> tuple[Item, ...]:
    """Find the images and masks of a data set; pixels are read later, one image at a time.

    Parameters
    ----------
    source : Path
        A folder with ``manifest.json``; a folder of images with masks of the same name (``a.jpg`` with ``a.png``,
        ``a_mask.png`` or ``a_gt.png``, beside them or in the subfolders ``images`` and ``masks``); or a JSON export of
        Label Studio with brush annotations.
    kind : str or None
        What the masks mean, where a manifest does not say; None looks at them: one value beside 0 are ``classes``,
        several ``instances``, no 0 at all ``regions``; in an export, several regions of one label on one image are
        ``instances``.
    images : Path or None
        Where the images of an export are; None looks beside the export.

    Raises
    ------
    InvalidParams
        There is no such kind.
    DatasetError
        Nothing usable is there; the message says what was looked for.
    """
    known = next((each for each in KINDS if each == kind), None)
    if kind is not None and known is None:
        raise InvalidParams(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    if source.is_file():
        return read_export(source, known, images or source.parent)
    if not source.is_dir():
        raise DatasetError(f"{source}: there is no such folder or file")
    items = _read_manifest(source) if (source / MANIFEST).is_file() else _read_pairs(source, known)
    return tuple(items)


def read_mask(path: Path) -> npt.NDArray[np.int64]:
    """Read a mask file's numbers: gray levels or palette places; colours are numbered, black is 0.

    Raises
    ------
    ImageUnreadable
        It cannot be read.
    """
    try:
        with PillowImage.open(path) as picture:
            pixels = np.asarray(picture)
    except Exception as error:
        raise ImageUnreadable(f"the mask {path} cannot be read: {error}") from error
    if pixels.ndim == 2:
        return pixels.astype(np.int64)
    # gray with alpha has 2 channels, colour 3 or 4: transparency says nothing of the number
    colors = pixels[..., : 3 if pixels.shape[2] > 2 else 1].astype(np.int64)
    numbers = colors @ (256 ** np.arange(colors.shape[2])[::-1])
    gray = bool((colors == colors[..., :1]).all())
    return np.asarray(colors[..., 0] if gray else numbers, np.int64)


def number_densely(values: npt.NDArray[np.int64]) -> LabelMap:
    """Number the values of a mask 1..n in rising order; 0 stays 0."""
    known, places = np.unique(values, return_inverse=True)
    return (places.reshape(values.shape) + (0 if 0 in known else 1)).astype(np.int32)


def _read_manifest(folder: Path) -> Iterable[Item]:
    """Read the items of ``manifest.json``: id, domain, task, image, masks, mask_kind, and bbox or classes."""
    path = folder / MANIFEST
    for entry in _read_json(path, "items"):
        try:
            kind: Kind = entry["task"]
            if kind not in KINDS:
                raise DatasetError(f"{path}: item {entry['id']}: task {kind!r} is not one of {', '.join(KINDS)}")
            masks = tuple(_below(folder, name) for name in entry["masks"])
            yield Item(
                name=str(entry["id"]),
                group=str(entry.get("domain", folder.name)),
                kind=kind,
                image=_below(folder, entry["image"]),
                read_truths=_reader(masks, _as_object if entry.get("mask_kind") == "fg_bg_ignore" else _as_numbers),
                classes={int(number): str(name) for number, name in entry.get("classes", {}).items()},
                box=_read_box(entry.get("bbox"), required=kind == "interactive"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DatasetError(f"{path}: an item is not as expected: {error!r} in {str(entry)[:120]}") from error


def _below(folder: Path, name: str) -> Path:
    path = folder / name
    if not is_below(path, folder):
        raise DatasetError(f"{folder / MANIFEST}: {name!r} leads out of the folder")
    return path


def _read_json(path: Path, key: str) -> list[Any]:
    try:
        entries = json.loads(path.read_bytes())[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: expected JSON with a list under {key!r}: {error!r}") from error
    if not isinstance(entries, list) or not entries:
        raise DatasetError(f"{path}: {key!r} must be a list and not empty")
    return entries


def _read_box(bbox: list[int] | None, *, required: bool) -> tuple[int, int, int, int] | None:
    if bbox is None:
        if required:
            raise ValueError("an interactive item needs a bbox")
        return None
    x, y, width, height = (int(value) for value in bbox)
    return y, x, y + height, x + width


def _as_numbers(values: npt.NDArray[np.int64]) -> LabelMap:
    return values.astype(np.int32)


def _as_object(values: npt.NDArray[np.int64]) -> LabelMap:
    """255 is object, 0 background, anything else undecided."""
    return np.where(values == 255, 1, np.where(values == 0, 0, UNDECIDED)).astype(np.int32)


def _reader(
    masks: tuple[Path, ...], convert: Callable[[npt.NDArray[np.int64]], LabelMap]
) -> Callable[[], tuple[LabelMap, ...]]:
    return lambda: tuple(convert(read_mask(mask)) for mask in masks)


def _read_pairs(folder: Path, kind: Kind | None) -> list[Item]:
    """Pair images and masks by their names."""
    if kind == "interactive":
        raise DatasetError(f"{folder}: interactive items need boxes, which only a {MANIFEST} can give")
    pairs = _find_pairs(folder)
    if not pairs:
        raise DatasetError(
            f"{folder}: no image with a mask of the same name. Expected a {MANIFEST}, or images with masks beside them "
            "(a.jpg with a.png, a_mask.png or a_gt.png), or the same in the subfolders images and masks"
        )
    kind = kind or _guess_kind(mask for masks in pairs.values() for mask in masks)
    convert: Callable[[npt.NDArray[np.int64]], LabelMap] = number_densely
    classes: dict[int, str] = {}
    if kind == "classes":
        values = np.unique(
            [value for masks in pairs.values() for mask in masks for value in np.unique(read_mask(mask))]
        )
        marked = [int(value) for value in values if value]
        places = {value: place for place, value in enumerate(marked, start=1)}
        classes = {place: "object" if len(marked) == 1 else f"value {value}" for value, place in places.items()}
        # numbered over the whole folder, so that a class keeps its number where others are absent
        convert = _lookup(np.array([0, *marked]))
    return [
        Item(str(image.relative_to(folder)), folder.name, kind, image, _reader(tuple(masks), convert), classes)
        for image, masks in pairs.items()
    ]


def _lookup(values: npt.NDArray[np.int64]) -> Callable[[npt.NDArray[np.int64]], LabelMap]:
    return lambda mask: np.searchsorted(values, mask).astype(np.int32)


def _find_pairs(folder: Path) -> dict[Path, list[Path]]:
    image_folder, mask_folder = folder / "images", folder / "masks"
    apart = image_folder.is_dir() and mask_folder.is_dir()
    if not apart:
        image_folder = mask_folder = folder
    masks: dict[str, list[Path]] = {}
    for path in _files(mask_folder, MASK_ENDINGS):
        masks.setdefault(path.stem, []).append(path)
        if shorter := MASK_SUFFIX.sub("", path.stem):
            masks.setdefault(shorter, []).append(path)
    pairs = {}
    for image in _files(image_folder, IMAGE_ENDINGS):
        own = list(dict.fromkeys(mask for mask in masks.get(image.stem, []) if mask != image))
        # beside each other, a.jpg has the mask a.png and not the other way round
        is_mask = not apart and (MASK_SUFFIX.search(image.stem) or _has_photo(image))
        if own and not is_mask:
            pairs[image] = own
    return pairs


def _has_photo(path: Path) -> bool:
    """Tell whether a file that may be a mask has a photo of the same stem beside it."""
    photos = IMAGE_ENDINGS - MASK_ENDINGS
    return path.suffix.lower() in MASK_ENDINGS and any(
        other.stem == path.stem and other.suffix.lower() in photos for other in path.parent.glob(f"{path.stem}.*")
    )


def _files(folder: Path, endings: frozenset[str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in endings and path.is_file())


def _guess_kind(masks: Iterable[Path]) -> Kind:
    """Look at the masks: one value beside 0 is a class, several are instances, no 0 at all a partition."""
    seen_background, most = False, 0
    for mask in masks:
        values = np.unique(read_mask(mask))
        seen_background |= bool(values[0] == 0)
        most = max(most, int(np.count_nonzero(values)))
    if not seen_background:
        return "regions"
    return "instances" if most > 1 else "classes"
