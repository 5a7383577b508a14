"""One image with its truth: what every reader of data sets gives and every figure is measured on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from prebrush.datatypes import LabelMap

Kind: TypeAlias = Literal["regions", "instances", "classes", "interactive"]
KINDS: tuple[Kind, ...] = get_args(Kind)
UNDECIDED = -1
"""Pixels of a truth that are left out of every figure."""
IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})


@dataclass(frozen=True, slots=True)
class Item:
    """One image with its truth.

    Attributes
    ----------
    name : str
        Unique within the data set.
    group : str
        What is averaged together.
    kind : {"regions", "instances", "classes", "interactive"}
        What the numbers of the truth mean: a partition, one object each on background 0, one class each on
        background 0, or one object (1) to be found from `box`.
    image : Path
    read_truths : callable () -> tuple of int32 (H, W)
        One map for each annotator; -1 where a pixel is undecided.
    classes : mapping of int to str
        Names of numbers, where the kind is ``classes``.
    box : (top, left, bottom, right) or None
    """

    name: str
    group: str
    kind: Kind
    image: Path
    read_truths: Callable[[], tuple[LabelMap, ...]]
    classes: Mapping[int, str] = field(default_factory=dict)
    box: tuple[int, int, int, int] | None = None


def is_below(path: Path, folder: Path) -> bool:
    """Tell whether a path stays below a folder, links followed: a data set may be somebody else's."""
    return path.resolve().is_relative_to(folder.resolve())
