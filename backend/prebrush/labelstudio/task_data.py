"""What a task's data puts into the variables of a labeling config: image addresses and dynamic labels."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from prebrush.datatypes import Control, Label
from prebrush.errors import ImageNotFound, InvalidBody

MAX_TEXT_CHARACTERS = 1 << 16
"""Longest text with variables, together with what they hold; the longest addresses have some thousand characters."""

MAX_IMAGES = 200
"""Most images of one ``valueList``."""

MAX_LABELS = 10_000
"""Most entries in a task's list of labels, with those in its tree."""

MAX_LABELS_CHARACTERS = 1 << 20
"""Most characters that a task puts into the labels of a config that have variables, together."""

_VARIABLE = re.compile(r"\$[\w\[\].{}]+", re.ASCII)
"""What the editor takes for a variable: ``$image``, ``$pages[0].url``."""
_STEP = re.compile(r"[^.\[\]]+")
_MISSING = object()


def first_key(expression: str) -> str:
    """Name the key of a task's data that the first variable in an attribute starts from.

    Examples
    --------
    >>> first_key("https://host/$page.name")
    'page'
    """
    variable = _VARIABLE.search(expression)
    steps = _STEP.findall(variable.group()[1:]) if variable else []
    return steps[0] if steps else ""


def look_up(path: str, data: Mapping[str, Any]) -> Any:
    """Follow ``a.b[0]`` into a task's data; a key that is literally ``a.b[0]`` goes first. None if nothing is there."""
    if path in data:
        return data[path]
    found: Any = data
    for step in _STEP.findall(path):
        found = _enter(found, step)
        if found is _MISSING:
            return None
    return None if found is data else found


def _enter(container: Any, step: str) -> Any:
    if isinstance(container, Mapping):
        return container.get(step, _MISSING)
    # no list in a task is longer than ten digits can say; int() of a million digits would take seconds
    if isinstance(container, list) and step.isdecimal() and len(step) <= 10 and int(step) < len(container):
        return container[int(step)]
    return _MISSING


def resolve(expression: str, data: Mapping[str, Any]) -> Any:
    """Put a task's data into an attribute, as the editor does.

    Parameters
    ----------
    expression : str
        A variable alone (``$image``), text with variables in it, or text without any.
    data : mapping
        The task's data.

    Returns
    -------
    value : any
        Whatever the task holds for a variable alone, None if nothing; else text.

    Raises
    ------
    InvalidBody
        Text with variables and what they hold are together longer than `MAX_TEXT_CHARACTERS`. A variable alone may
        hold anything: an image in a ``data:`` address is long.

    Examples
    --------
    >>> resolve("https://host/$name.png", {"name.png": "a.png"})
    'https://host/a.png'
    """
    if _VARIABLE.fullmatch(expression):
        return look_up(expression[1:], data)
    room = MAX_TEXT_CHARACTERS - len(expression)

    def fill_in(variable: re.Match[str]) -> str:
        nonlocal room
        text = _as_text(look_up(variable.group()[1:], data))
        room -= len(text)
        # counted on the way: a short text that names one long value a thousand times would be gigabytes
        if room < 0:
            raise InvalidBody(
                f"{expression[:60]!r} with the task's data filled in has more than {MAX_TEXT_CHARACTERS} characters"
            )
        return text

    return _VARIABLE.sub(fill_in, expression)


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)


def has_image(control: Control, data: Mapping[str, Any]) -> bool:
    """Tell whether a task has anything where its image would be."""
    return not _is_nothing(resolve(control.address, data))


def image_addresses(control: Control, data: Mapping[str, Any]) -> tuple[str, ...]:
    """List the addresses of the image, or of all images where the control ``is_list``.

    Raises
    ------
    ImageNotFound
        The task's data has nothing there, or nothing that can be an address.
    InvalidBody
        There are more images than `MAX_IMAGES`, or an address is too long; see `resolve`.
    """
    value = resolve(control.address, data)
    tag = f'<Image name="{control.to_name}">'
    if _is_nothing(value):
        known = ", ".join(list(data)[:10]) or "nothing"
        raise ImageNotFound(f"{tag} takes its image from {control.address!r}; the task's data has only: {known}")
    addresses = value if isinstance(value, list) else [value]
    if control.is_list and len(addresses) > MAX_IMAGES:
        raise InvalidBody(
            f"{tag} takes its images from {control.address!r}; there are {len(addresses)} images, "
            f"at most {MAX_IMAGES} are taken"
        )
    for address in addresses:
        if not isinstance(address, str) or not address:
            found = "an empty text" if address == "" else type(address).__name__
            raise ImageNotFound(f"{tag} takes its image from {control.address!r}; expected an address, got {found}")
    return tuple(addresses) if control.is_list else (addresses[0],)


def _is_nothing(value: Any) -> bool:
    return value is None or value in ("", [])


def labels_of(control: Control, data: Mapping[str, Any]) -> tuple[Label, ...]:
    """List the labels of a control for one task: those in the config, then the dynamic ones.

    Parameters
    ----------
    control : Control
    data : mapping
        The task's data; under ``control.labels_key`` a list of texts or of objects with ``value``, ``alias``,
        ``predicted_values`` and, for the editor's tree of labels, ``children``. Other entries are passed over.

    Returns
    -------
    labels : tuple of Label
        The first of two with one name counts.

    Raises
    ------
    InvalidBody
        There are more dynamic labels than `MAX_LABELS`, or those of the config become too long.
    """
    labels: dict[str, Label] = {}
    room = MAX_LABELS_CHARACTERS
    for label in control.labels:
        text, value = (_as_text(resolve(name, data)) if "$" in name else name for name in (label.name, label.value))
        room -= len(text) * ("$" in label.name) + len(value) * ("$" in label.value)
        if room < 0:
            raise InvalidBody(
                f"the task's data makes the labels of {control.from_name!r} too long; "
                f"at most {MAX_LABELS_CHARACTERS} characters are taken"
            )
        if text:
            labels.setdefault(text, Label(text, label.predicted_values, value))
    for label in _dynamic_labels(control, data):
        labels.setdefault(label.name, label)
    return tuple(labels.values())


def _dynamic_labels(control: Control, data: Mapping[str, Any]) -> Iterator[Label]:
    """Go through a task's own labels in the order the editor shows them: each before its children."""
    entries = look_up(control.labels_key, data) if control.labels_key else None
    waiting = list(reversed(entries)) if isinstance(entries, list) else []
    n_seen = 0
    while waiting:
        n_seen += 1
        # whatever the entries are, so that the work is bounded too
        if n_seen > MAX_LABELS:
            raise InvalidBody(
                f"the task's data has too many labels in {control.labels_key!r}; at most {MAX_LABELS} are taken"
            )
        entry = waiting.pop()
        if isinstance(entry, str):
            entry = {"value": entry}
        if not isinstance(entry, Mapping):
            continue
        value = entry.get("value")
        name = entry.get("alias") or value
        if isinstance(name, str) and name:
            value = value if isinstance(value, str) and value != name else ""
            yield Label(name, _read_classes(entry.get("predicted_values")), value)
        children = entry.get("children")
        waiting.extend(reversed(children) if isinstance(children, list) else ())


def _read_classes(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else ()
    return tuple(part.strip() for part in parts if isinstance(part, str) and part.strip())
