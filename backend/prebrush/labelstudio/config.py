"""Labeling-config XML to `Control` values. What a task's data adds to them is in ``task_data.py``.

Tags and attributes are compared without regard to case, as the editor does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from prebrush.datatypes import Control, Label
from prebrush.errors import InvalidLabelConfig
from prebrush.labelstudio.task_data import first_key

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

REGION_TAGS = (
    "BrushLabels",
    "Brush",
    "PolygonLabels",
    "Polygon",
    "RectangleLabels",
    "Rectangle",
    "BitmaskLabels",
    "Bitmask",
    "VectorLabels",
    "Vector",
)
"""Control tags that get regions, by canonical name."""

MAX_CHARACTERS = 1 << 20
"""Longest labeling config that is read; a config of 1000 labels has about 50 thousand characters."""

MAX_DEPTH = 100
"""Deepest nesting of tags; hand-made configs stay under 10."""

MAX_CONTROLS = 200
"""Most control tags that get regions, each counted once for each of its images; hand-made configs stay under 20."""

MAX_LABELS = 100_000
"""Most labels of all these together."""

_CANONICAL = {tag.lower(): tag for tag in REGION_TAGS}
_PROMPT_ONLY = {"keypoint", "keypointlabels", "ellipse", "ellipselabels"}
_LABEL_EXAMPLE = '<BrushLabels name="mask" toName="{image}"><Label value="Object"/></BrushLabels>'
_YES = {"true", "1", "yes", "on"}
_LISTED_PROBLEMS = 3
_LISTED_IMAGES = 10


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """What a labeling config asks of prebrush.

    Attributes
    ----------
    controls : tuple of Control
        The control tags that get regions, in document order; one for each image tag where ``toName`` lists several.
    prompt_tools : tuple of str
        Names of the tags that a person marks with, and that get no regions of their own: smart key points and
        ellipses, and every tag with ``smart="true"`` beside one on the same image without it. A smart rectangle is
        how a person asks for one mask; filling it with a rectangle per segment would bury the image. Whoever wants
        these rectangles says ``model_skip="false"`` on the tag.
    skipped : tuple of str
        Names of the tags left alone because of ``model_skip="true"``.
    problems : tuple of str
        Why further tags get no regions, one sentence each.
    """

    controls: tuple[Control, ...] = ()
    prompt_tools: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    _unserved: str = ""

    def why_unserved(self) -> str:
        """Say why no tag gets regions and what to add; empty if one does."""
        return self._unserved


@dataclass(frozen=True, slots=True, eq=False)
class _Tag:
    """An element with its attributes' names in lower case; equal only to itself."""

    element: "Element"
    kind: str
    attributes: dict[str, str]
    repeated: bool

    @property
    def name(self) -> str:
        return self.attributes.get("name", "")

    def is_on(self, attribute: str) -> bool:
        return self.attributes.get(attribute, "").strip().lower() in _YES

    def __str__(self) -> str:
        name = f' name="{self.name}"' if self.name else ""
        return f"<{_CANONICAL.get(self.kind, self.element.tag)}{name}>"


def parse_label_config(xml: str) -> LabelConfig:
    """Read a labeling config.

    A config that gives prebrush nothing to do is no error: `LabelConfig.why_unserved` says what is missing.

    Parameters
    ----------
    xml : str
        As Label Studio sends it in ``label_config`` or ``schema``; may be empty.

    Raises
    ------
    InvalidLabelConfig
        It is not XML (the message names the line), has a document type definition, is too long or too deep, or has
        more control tags than `MAX_CONTROLS` or more labels than `MAX_LABELS`.

    Examples
    --------
    >>> config = parse_label_config(
    ...     '<View><Image name="image" value="$image"/>'
    ...     '<BrushLabels name="mask" toName="image"><Label value="Cat"/></BrushLabels></View>'
    ... )
    >>> [(control.tag, control.from_name, control.to_name) for control in config.controls]
    [('BrushLabels', 'mask', 'image')]
    """
    if not xml.strip():
        return LabelConfig(_unserved=_advise("it is empty", ""))
    return _Reader(tuple(_walk(_parse_xml(xml)))).read()


def _parse_xml(xml: str) -> "Element":
    if len(xml) > MAX_CHARACTERS:
        raise InvalidLabelConfig(f"the labeling config has {len(xml)} characters; at most {MAX_CHARACTERS} are read")
    try:
        root: Element = fromstring(xml, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        reason = str(error).split(":")[0]
        raise InvalidLabelConfig(
            f"the labeling config is not XML: {reason} at line {line}, column {column + 1}"
        ) from error
    except DefusedXmlException as error:
        raise InvalidLabelConfig(
            "the labeling config has a document type definition or entities of its own (<!DOCTYPE ...>); remove them"
        ) from error
    except (ValueError, LookupError) as error:
        raise InvalidLabelConfig(f"the labeling config cannot be read: {type(error).__name__}") from error
    return root


def _walk(root: "Element") -> Iterator[_Tag]:
    """Go through all elements in document order, without recursion."""
    stack = [(root, 1, False)]
    while stack:
        element, depth, repeated = stack.pop()
        if depth > MAX_DEPTH:
            raise InvalidLabelConfig(f"the labeling config nests tags more than {MAX_DEPTH} deep")
        kind = element.tag.lower()
        attributes = {key.lower(): value for key, value in element.attrib.items()}
        yield _Tag(element, kind, attributes, repeated)
        repeated = repeated or kind == "repeater"
        stack.extend((child, depth + 1, repeated) for child in reversed(element))


class _Reader:
    """Turns the tags of one config into controls; lives for one call."""

    def __init__(self, tags: tuple[_Tag, ...]) -> None:
        self.tags = tags
        self.by_name = {tag.name: tag for tag in reversed(tags) if tag.name}
        self.images = [tag for tag in tags if tag.kind == "image" and tag.name]
        self.labels_tags: dict[str, _Tag] = {}
        for tag in tags:
            if tag.kind == "labels" and tag.name:
                for image in self._images_of(tag):
                    self.labels_tags.setdefault(image.name, tag)
        self.labels: dict[_Tag, tuple[Label, ...]] = {}
        self.problems: list[str] = []
        self.n_controls = 0
        self.n_labels = 0

    def read(self) -> LabelConfig:
        skipped, found = [], []
        for tag in self.tags:
            if tag.kind not in _CANONICAL:
                continue
            if tag.is_on("model_skip"):
                skipped.append(tag.name)
            else:
                found += [(tag, control) for control in self._build_controls(tag)]
        filled = {control.to_name for tag, control in found if not _is_smart(tag)}
        controls = []
        prompt_tools = [tag.name for tag in self.tags if tag.kind in _PROMPT_ONLY and _is_smart(tag)]
        for tag, control in found:
            if _is_smart(tag) and "model_skip" not in tag.attributes and control.to_name in filled:
                prompt_tools.append(tag.name)
            else:
                controls.append(control)
        return LabelConfig(
            controls=tuple(controls),
            prompt_tools=tuple(dict.fromkeys(prompt_tools)),
            skipped=tuple(skipped),
            problems=tuple(self.problems),
            _unserved="" if controls else self._explain(skipped),
        )

    def _build_controls(self, tag: _Tag) -> list[Control]:
        """Make a control for each image the tag belongs to; note down what is wrong where there is none."""
        problem = self._find_problem(tag)
        if problem:
            self.problems.append(problem)
            return []
        images = self._images_of(tag)
        self.n_controls += len(images)
        if self.n_controls > MAX_CONTROLS:
            raise InvalidLabelConfig(
                f"the labeling config has more tags to fill than are taken: {tag} is beyond the limit of at most "
                f"{MAX_CONTROLS}, each counted once for each of its images"
            )
        controls = [self._build_control(tag, image) for image in images]
        self.n_labels += sum(len(control.labels) for control in controls)
        if self.n_labels > MAX_LABELS:
            raise InvalidLabelConfig(
                f"the labeling config has more labels than are taken: {tag} is beyond the limit of at most "
                f"{MAX_LABELS}, each counted once for each tag and image it is for"
            )
        return controls

    def _build_control(self, tag: _Tag, image: _Tag) -> Control:
        labels_tag = tag if tag.kind.endswith("labels") else self.labels_tags.get(image.name)
        address = _address_of(image)
        return Control(
            from_name=tag.name,
            to_name=image.name,
            tag=_CANONICAL[tag.kind],
            data_key=first_key(address),
            is_list=bool(image.attributes.get("valuelist")),
            labels=self._labels_of(labels_tag) if labels_tag else (),
            labels_key=_read_labels_key(labels_tag) if labels_tag else "",
            labels_from=labels_tag.name if labels_tag and labels_tag is not tag else "",
            params=_read_params(tag),
            address=address,
            closable=tag.kind.startswith("vector") and tag.is_on("closable"),
            max_points=_read_max_points(tag),
        )

    def _labels_of(self, tag: _Tag) -> tuple[Label, ...]:
        """Read the labels of a tag, once for all the controls that share them."""
        if tag not in self.labels:
            self.labels[tag] = _read_labels(tag)
        return self.labels[tag]

    def _find_problem(self, tag: _Tag) -> str:
        """Say why a tag cannot get regions; empty if it can."""
        limit = _read_max_points(tag)
        images = self._images_of(tag)
        mute = [image for image in images if not _address_of(image)]
        problem = ""
        if tag.repeated:
            problem = f'{tag} is inside <Repeater>; for tasks of several images use <Image valueList="$images">'
        elif not tag.name:
            problem = f"{tag} has no name"
        elif self.by_name[tag.name] is not tag:
            problem = f"{tag} gets no regions, because an earlier tag has that name"
        elif tag.kind.endswith("labels") and not self._labels_of(tag) and not _read_labels_key(tag):
            problem = f'{tag} has no label; put <Label value="Object"/> inside'
        elif limit is not None and limit < 3:
            problem = f'{tag} has maxPoints="{limit}", too few to go around a segment'
        elif not images:
            problem = self._why_no_image(tag)
        elif mute:
            problem = f'{mute[0]} does not say where a task keeps its image; add value="$image"'
        return problem

    def _images_of(self, tag: _Tag) -> list[_Tag]:
        """Find the image tags a control belongs to; without a ``toName`` it is the only one, as in the editor."""
        names = _to_names(tag)
        if not names:
            return self.images if len(self.images) == 1 else []
        named = (self.by_name.get(name) for name in names)
        return [other for other in named if other is not None and other.kind == "image"]

    def _why_no_image(self, tag: _Tag) -> str:
        names = _to_names(tag)
        have = ", ".join(image.name for image in self.images[:_LISTED_IMAGES])
        have += " ..." if len(self.images) > _LISTED_IMAGES else ""
        for name in names:
            other = self.by_name.get(name)
            if other is not None:
                return f"{tag} belongs to {other}, and only images are segmented"
        if not names:
            return f"{tag} has no toName" + (f"; the images are: {have}" if have else "")
        hint = f'the images are: {have}; write toName="{self.images[0].name}"' if have else "there is no <Image> tag"
        return f'{tag} has toName="{",".join(names)}", but no tag has that name ({hint})'

    def _explain(self, skipped: list[str]) -> str:
        image = self.images[0].name if self.images else ""
        causes = self.problems[:_LISTED_PROBLEMS]
        if skipped:
            causes = [*causes, f'model_skip="true" leaves out {", ".join(skipped)}; remove it from one of them']
        if causes:
            return _advise("; ".join(causes), image)
        if not image:
            return _advise("it has no <Image> tag with a name", "")
        return _advise(f"none of its tags takes regions on an image (those are {', '.join(REGION_TAGS)})", image)


def _advise(cause: str, image: str) -> str:
    """Add what a config that works looks like, fitted to the image tag that is there."""
    example = _LABEL_EXAMPLE.format(image=image or "image")
    if not image:
        example = '<Image name="image" value="$image"/>' + example
    return f"the labeling config has no tag to fill: {cause}. What works, for example: {example}"


def _to_names(tag: _Tag) -> list[str]:
    names = (name.strip() for name in tag.attributes.get("toname", "").split(","))
    return [name for name in dict.fromkeys(names) if name]


def _address_of(image: _Tag) -> str:
    return image.attributes.get("valuelist") or image.attributes.get("value") or ""


def _is_smart(tag: _Tag) -> bool:
    return tag.is_on("smart") or tag.is_on("smartonly")


def _read_labels(tag: _Tag) -> tuple[Label, ...]:
    """Read the labels anywhere inside a control tag; the first of two with one name counts."""
    labels: dict[str, Label] = {}
    for inner in tag.element.iter():
        if inner.tag.lower() != "label":
            continue
        attributes = {key.lower(): value for key, value in inner.attrib.items()}
        value, alias = attributes.get("value", ""), attributes.get("alias", "")
        name = alias or value
        if name:
            classes = split_classes(attributes.get("predicted_values", ""))
            labels.setdefault(name, Label(name, classes, value if value != name else ""))
    return tuple(labels.values())


def split_classes(text: str) -> tuple[str, ...]:
    """Split ``predicted_values`` at its commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _read_labels_key(tag: _Tag) -> str:
    value = tag.attributes.get("value", "").strip()
    return value[1:] if value.startswith("$") else ""


def _read_params(tag: _Tag) -> dict[str, str]:
    prefix = "model_"
    found = {key.removeprefix(prefix): value for key, value in tag.attributes.items() if key.startswith(prefix)}
    found.pop("skip", None)
    return found


def _read_max_points(tag: _Tag) -> int | None:
    """Read the most points a Vector tag allows; the editor takes what is no number as no limit."""
    limit = tag.attributes.get("maxpoints", "").strip()
    return int(limit) if tag.kind.startswith("vector") and limit.isdecimal() and limit.isascii() else None
