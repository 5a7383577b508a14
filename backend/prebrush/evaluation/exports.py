"""A JSON export of Label Studio with brush annotations, read as a data set."""

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import numpy as np

from prebrush.datatypes import LabelMap
from prebrush.errors import DatasetError, InvalidBody
from prebrush.evaluation.items import IMAGE_ENDINGS, Item, Kind, is_below
from prebrush.labelstudio import rle
from prebrush.labelstudio.request import describe

UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of an uploaded file."""


class _Result(msgspec.Struct):
    value: dict[str, Any] | None = None
    type: str | None = None
    id: str | int | None = None
    item_index: int | None = None
    original_width: int | None = None
    original_height: int | None = None


class _Annotation(msgspec.Struct):
    result: list[_Result] | None = None
    was_cancelled: bool | None = None


class _Task(msgspec.Struct):
    id: str | int | None = None
    data: dict[str, Any] | None = None
    annotations: list[_Annotation] | msgspec.UnsetType | None = msgspec.UNSET


def read_export(path: Path, kind: Kind | None, images: Path) -> tuple[Item, ...]:
    """Read the tasks that have brush annotations.

    Each annotation is one annotator's truth; cancelled ones are left out. Where regions overlap, the later one lies on
    top, as the editor draws it.

    Parameters
    ----------
    path : Path
    kind : str or None
        None takes ``instances`` where an annotation has several regions of one label, else ``classes``.
    images : Path
        Folder of the images. An image is looked for by the path in its task and by its bare name, with and without the
        eight digits that an upload gets; nothing outside this folder is opened, whatever a task or a link says.

    Raises
    ------
    DatasetError
        It is no such export, has no brush annotations, or an image is not there.
    """
    if kind == "interactive":
        raise DatasetError(f"{path}: interactive items need boxes, which only a manifest.json can give")
    annotated = [
        (task, annotations) for task in _read_tasks(path) if (annotations := [a for a in _annotations(task) if a])
    ]
    if not annotated:
        raise DatasetError(f"{path}: no task has a brush annotation; export the annotated project as JSON")
    kind = kind or _guess_kind([annotations for _, annotations in annotated])
    labels = sorted({region["label"] for _, annotations in annotated for each in annotations for region in each})
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    items, names = [], Counter[str]()
    for task, annotations in annotated:
        image = _find_image(path, task, images)
        names[image.name] += 1
        name = image.name if names[image.name] == 1 else f"{image.name} (task {task.id})"
        items.append(
            Item(
                name=name,
                group=path.stem,
                kind=kind,
                image=image,
                read_truths=_reader(
                    annotations, numbers if kind == "classes" else None, where=f"{path}: task {task.id}"
                ),
                classes={number: label for label, number in numbers.items()} if kind == "classes" else {},
            )
        )
    return tuple(items)


def _read_tasks(path: Path) -> list[_Task]:
    try:
        tasks = msgspec.json.decode(path.read_bytes(), type=list[_Task])
    except msgspec.ValidationError as error:
        expected = "expected a list of tasks, as Label Studio exports them as JSON"
        raise DatasetError(f"{path}: {expected}; {describe(str(error), 'the export')}") from error
    # not every version of msgspec makes its errors ValueErrors
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise DatasetError(f"{path}: not a JSON export of Label Studio: {error}") from error
    if tasks and all(task.annotations is msgspec.UNSET for task in tasks):
        raise DatasetError(f"{path}: the tasks have no annotations; export as JSON, not as JSON-MIN")
    return tasks


def _annotations(task: _Task) -> list[list[dict[str, Any]]]:
    """List for each annotation its brush regions: rle, height, width, label, item_index."""
    found = []
    for annotation in task.annotations or []:
        if annotation.was_cancelled:
            continue
        regions: dict[str, dict[str, Any]] = {}
        for place, result in enumerate(annotation.result or []):
            value = result.value or {}
            if not value.get("rle") or result.item_index:
                continue
            # a plain Brush tag stores the shape a second time under the tag that names it
            named = value.get(str(result.type)) or []
            label = str(named[0]) if isinstance(named, list) and named else ""
            region = {"rle": value["rle"], "label": label}
            region |= {"height": result.original_height, "width": result.original_width}
            known = regions.setdefault(str(place if result.id is None else result.id), region)
            known["label"] = known["label"] or label
        found.append([{**region, "label": region["label"] or "object"} for region in regions.values()])
    return found


def _guess_kind(annotated: list[list[list[dict[str, Any]]]]) -> Kind:
    counts = (Counter(region["label"] for region in each) for annotations in annotated for each in annotations)
    return "instances" if any(max(count.values()) > 1 for count in counts) else "classes"


def _reader(
    annotations: list[list[dict[str, Any]]], numbers: dict[str, int] | None, where: str
) -> Callable[[], tuple[LabelMap, ...]]:
    return lambda: tuple(map(partial(_paint, numbers=numbers, where=where), annotations))


def _paint(regions: list[dict[str, Any]], numbers: dict[str, int] | None, where: str) -> LabelMap:
    """Paint regions over each other, under the number of their label or of their place."""
    height, width = regions[0]["height"] or 0, regions[0]["width"] or 0
    truth = None
    for place, region in enumerate(regions, start=1):
        try:
            mask = rle.decode_mask(region["rle"], height, width)
        except InvalidBody as error:
            raise DatasetError(
                f"{where}: the brush region labelled {region['label']!r} cannot be decoded: {error}"
            ) from error
        if truth is None:
            # not before a mask has shown that there are so many pixels
            truth = np.zeros((height, width), np.int32)
        truth[mask] = place if numbers is None else numbers[region["label"]]
    return np.zeros((height, width), np.int32) if truth is None else truth


def _find_image(path: Path, task: _Task, folder: Path) -> Path:
    """Find the file that a task's image address means."""
    data = task.data or {}
    addresses = [value for value in data.values() if isinstance(value, str) and _looks_like_image(value)]
    addresses += [
        value[0] for value in data.values() if isinstance(value, list) and value and isinstance(value[0], str)
    ]
    for address in addresses:
        for candidate in _candidates(address, folder):
            if candidate.is_file() and is_below(candidate, folder):
                return candidate
    if not addresses:
        raise DatasetError(f"{path}: task {task.id}: its data hold no address of an image")
    raise DatasetError(f"{path}: task {task.id}: {addresses[0]!r} is not under {folder}; name the folder with --images")


def _looks_like_image(address: str) -> bool:
    return any(PurePosixPath(part).suffix.lower() in IMAGE_ENDINGS for part in _parts(address))


def _parts(address: str) -> list[str]:
    """List the paths that an address may stand for: of a file, an upload, local storage, a bucket or a web page."""
    split = urlsplit(address)
    return [unquote(split.path), *parse_qs(split.query).get("d", [])]


def _candidates(address: str, folder: Path) -> list[Path]:
    if address.startswith("data:"):
        return []
    found = [Path(address), folder / address.lstrip("/")]
    for part in _parts(address)[::-1]:
        name = PurePosixPath(part).name
        if name:
            found += [folder / part.lstrip("/"), folder / name, folder / UPLOAD_PREFIX.sub("", name)]
    return found
