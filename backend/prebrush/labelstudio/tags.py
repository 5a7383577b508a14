"""Labeling-config XML to tags: names in lower case, bounds on size, and what single attributes say.

Tags and attributes are compared without regard to case, as the editor does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from prebrush.datatypes import Label
from prebrush.errors import InvalidLabelConfig

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

CANONICAL = {tag.lower(): tag for tag in REGION_TAGS}

MAX_CHARACTERS = 1 << 20
"""Longest labeling config that is read; a config of 1000 labels has about 50 thousand characters."""

MAX_DEPTH = 100
"""Deepest nesting of tags; hand-made configs stay under 10."""

_YES = {"true", "1", "yes", "on"}


@dataclass(frozen=True, slots=True, eq=False)
class Tag:
    """An element with its attributes' names in lower case; equal only to itself.

    Attributes
    ----------
    element : Element
    kind : str
        Its name in lower case.
    attributes : dict of str to str
    repeated : bool
        It is inside a ``<Repeater>``.
    """

    element: "Element"
    kind: str
    attributes: dict[str, str]
    repeated: bool

    @property
    def name(self) -> str:
        """What other tags call it; empty if it has no name."""
        return self.attributes.get("name", "")

    @property
    def has_own_labels(self) -> bool:
        """Whether its regions have labels without a separate ``<Labels>``."""
        return self.kind.endswith("labels")

    @property
    def is_smart(self) -> bool:
        """Whether a person marks with it what the backend is to find."""
        return self.is_on("smart") or self.is_on("smartonly")

    @property
    def to_names(self) -> list[str]:
        """The tags that it belongs to, each once."""
        names = (name.strip() for name in self.attributes.get("toname", "").split(","))
        return [name for name in dict.fromkeys(names) if name]

    @property
    def address(self) -> str:
        """Where a task keeps what an object tag shows; empty if it does not say."""
        return self.attributes.get("valuelist") or self.attributes.get("value") or ""

    @property
    def labels_key(self) -> str:
        """The key of a task's data with further labels; empty if none."""
        value = self.attributes.get("value", "").strip()
        return value[1:] if value.startswith("$") else ""

    @property
    def params(self) -> dict[str, str]:
        """The ``model_*`` attributes but ``model_skip``, without that prefix."""
        prefix = "model_"
        found = {key.removeprefix(prefix): value for key, value in self.attributes.items() if key.startswith(prefix)}
        found.pop("skip", None)
        return found

    @property
    def is_closable(self) -> bool:
        """Whether paths of a Vector tag may be closed."""
        return self.kind.startswith("vector") and self.is_on("closable")

    @property
    def max_points(self) -> int | None:
        """The most points a Vector tag allows; the editor takes what is no number as no limit."""
        limit = self.attributes.get("maxpoints", "").strip()
        return int(limit) if self.kind.startswith("vector") and limit.isdecimal() and limit.isascii() else None

    def is_on(self, attribute: str) -> bool:
        """Tell whether an attribute says yes."""
        return self.attributes.get(attribute, "").strip().lower() in _YES

    def read_labels(self) -> tuple[Label, ...]:
        """Read the labels anywhere inside; the first of two with one name counts."""
        labels: dict[str, Label] = {}
        for inner in self.element.iter():
            if inner.tag.lower() != "label":
                continue
            attributes = {key.lower(): value for key, value in inner.attrib.items()}
            value, alias = attributes.get("value", ""), attributes.get("alias", "")
            name = alias or value
            if name:
                classes = split_classes(attributes.get("predicted_values", ""))
                labels.setdefault(name, Label(name, classes, value if value != name else ""))
        return tuple(labels.values())

    def __str__(self) -> str:
        name = f' name="{self.name}"' if self.name else ""
        return f"<{CANONICAL.get(self.kind, self.element.tag)}{name}>"


def split_classes(text: str) -> tuple[str, ...]:
    """Split ``predicted_values`` at its commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def read_tags(xml: str) -> Iterator[Tag]:
    """Go through all tags of a labeling config, in document order.

    Raises
    ------
    InvalidLabelConfig
        It is not XML (the message names the line), has a document type definition, or is too long or too deep.
    """
    # without recursion
    stack = [(_parse_xml(xml), 1, False)]
    while stack:
        element, depth, repeated = stack.pop()
        if depth > MAX_DEPTH:
            raise InvalidLabelConfig(f"the labeling config nests tags more than {MAX_DEPTH} deep")
        kind = element.tag.lower()
        attributes = {key.lower(): value for key, value in element.attrib.items()}
        yield Tag(element, kind, attributes, repeated)
        repeated = repeated or kind == "repeater"
        stack.extend((child, depth + 1, repeated) for child in reversed(element))


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
