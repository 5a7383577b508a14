"""The nouns that travel between the parts: frozen, checked once when they are made, with read-only arrays.

Positions are ``(row, col)`` in pixels, sizes ``(height, width)``, colours RGB. Percent coordinates and ``x, y`` live in
``labelstudio/`` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import index
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from prebrush.errors import InvalidPrompt, SegmentationError

RGBImage: TypeAlias = npt.NDArray[np.uint8]
"""(H, W, 3), red, green, blue."""
GrayImage: TypeAlias = npt.NDArray[np.uint8]
"""(H, W)."""
LabelMap: TypeAlias = npt.NDArray[np.int32]
"""(H, W), a number per segment; 0 is background."""
Mask: TypeAlias = npt.NDArray[np.bool_]
"""(H, W)."""

BACKGROUND = "background"
"""Class name of label 0 in every label map."""


def _freeze(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a read-only view: the caller's own array stays writable."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded image, upright as a browser shows it.

    Attributes
    ----------
    pixels : uint8 (H, W, 3)
        RGB, read-only.
    digest : str
        Hex digest of the source bytes: equal digests are equal images, whatever their address.
    """

    pixels: RGBImage
    digest: str

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise ValueError(f"pixels must be uint8 (H, W, 3) and not empty, not {pixels.dtype} {pixels.shape}")
        object.__setattr__(self, "pixels", _freeze(pixels))

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """What a person marked on the image; an empty prompt asks for automatic segmentation.

    Attributes
    ----------
    points : tuple of (row, col, positive)
        Clicked pixels; ``positive`` is False for "not this".
    boxes : tuple of (top, left, bottom, right)
        Half-open pixel boxes.
    scribble : int8 (H, W) or None
        1 where the person painted the object, -1 where the person painted what is not the object, else 0.
    label : str
        The label chosen while marking; empty if none.
    """

    points: tuple[tuple[int, int, bool], ...] = ()
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    scribble: npt.NDArray[np.int8] | None = None
    label: str = ""

    def __post_init__(self) -> None:
        try:
            points = tuple((index(row), index(col), bool(positive)) for row, col, positive in self.points)
            boxes = tuple((index(top), index(left), index(down), index(right)) for top, left, down, right in self.boxes)
        except (TypeError, ValueError):
            raise InvalidPrompt(
                "points must be (row, col, positive) and boxes (top, left, bottom, right), in whole pixels"
            ) from None
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "boxes", boxes)
        for top, left, bottom, right in self.boxes:
            if bottom <= top or right <= left:
                raise InvalidPrompt(
                    f"box (top {top}, left {left}, bottom {bottom}, right {right}) is empty: "
                    "bottom must be over top and right over left"
                )
        if self.scribble is not None:
            if not isinstance(self.scribble, np.ndarray) or self.scribble.dtype != np.int8 or self.scribble.ndim != 2:
                what = getattr(self.scribble, "dtype", type(self.scribble).__name__)
                raise InvalidPrompt(f"scribble must be int8 (H, W), not {what} {np.shape(self.scribble)}")
            if self.scribble.size and (self.scribble.min() < -1 or self.scribble.max() > 1):
                raise InvalidPrompt("a scribble is 1 on the object, -1 on what is not the object, and 0 elsewhere")
            object.__setattr__(self, "scribble", _freeze(self.scribble))

    def __bool__(self) -> bool:
        """Whether anything is marked."""
        return bool(self.points or self.boxes or (self.scribble is not None and self.scribble.any()))


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """What a method found.

    Attributes
    ----------
    label_map : int32 (H, W)
        0 background, then 1..n without gaps, read-only.
    scores : float32 (n,) or None
        How good each segment looks, in [0, 1]; None where nothing can justify a score.
    classes : tuple of str
        Class name of each segment (``foreground``, ``cluster-0`` ...); empty strings where a class has no meaning.
    """

    label_map: LabelMap
    scores: npt.NDArray[np.float32] | None = None
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        label_map = self.label_map
        if label_map.dtype != np.int32 or label_map.ndim != 2:
            raise SegmentationError(f"a label map must be int32 (H, W), not {label_map.dtype} {label_map.shape}")
        count = int(label_map.max(initial=0))
        if label_map.size and int(label_map.min()) < 0:
            raise SegmentationError(f"label {int(label_map.min())} is below 0")
        # bincount at int32 range would be a memory bomb; no map has more numbers than pixels
        if count > label_map.size:
            raise SegmentationError(f"label {count} in a map of {label_map.size} pixels: numbers must be 1..n")
        if count and not np.bincount(label_map.ravel(), minlength=count + 1)[1:].all():
            raise SegmentationError(f"the label map has gaps between 1 and {count}")
        classes = self.classes or ("",) * count
        if len(classes) != count:
            raise SegmentationError(f"{len(classes)} class names for {count} segments")
        if self.scores is not None:
            scores = self.scores
            if scores.dtype != np.float32 or scores.shape != (count,):
                raise SegmentationError(f"scores must be float32 ({count},), not {scores.dtype} {scores.shape}")
            if count and not (scores.min() >= 0 and scores.max() <= 1):
                raise SegmentationError("scores must lie in [0, 1]")
            object.__setattr__(self, "scores", _freeze(scores))
        object.__setattr__(self, "classes", tuple(classes))
        object.__setattr__(self, "label_map", _freeze(label_map))

    @classmethod
    def trusted(
        cls, label_map: LabelMap, scores: npt.NDArray[np.float32] | None, classes: tuple[str, ...]
    ) -> "Segments":
        """Make segments that were just checked in a cheaper form; the checks on pixels cost 2.5 ms a megapixel."""
        segments = object.__new__(cls)
        object.__setattr__(segments, "label_map", _freeze(label_map))
        object.__setattr__(segments, "scores", None if scores is None else _freeze(scores))
        object.__setattr__(segments, "classes", classes)
        return segments

    def __len__(self) -> int:
        """Return the number of segments, background not counted."""
        return len(self.classes)


@dataclass(frozen=True, slots=True)
class Label:
    """One class an annotator can choose.

    Attributes
    ----------
    name : str
        What Label Studio expects in a result: the alias if there is one, else the value.
    predicted_values : tuple of str
        Class names of a method that mean this label, as ``predicted_values`` on the tag lists them.
    value : str
        The value, where an alias is the name: what the editor shows, and takes for the same label. Else empty.
    """

    name: str
    predicted_values: tuple[str, ...] = ()
    value: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that it may be called."""
        return (self.name, self.value) if self.value else (self.name,)


@dataclass(frozen=True, slots=True)
class Control:
    """One control tag of a labeling config that can hold regions on an image.

    Attributes
    ----------
    from_name, to_name : str
        Names of the control tag and of the image tag it belongs to.
    tag : str
        The tag's canonical name, one of ``labelstudio.tags.REGION_TAGS``: ``BrushLabels``, ``Brush`` ...
    data_key : str
        First key in the task's data that leads to the image's address, for messages; `address` is the whole way.
    is_list : bool
        The image tag has ``valueList``: a task is several images, and each region says which one.
    labels : tuple of Label
        In the order of the config.
    labels_key : str
        Key in the task's data that holds further labels (dynamic labels); empty if none.
    labels_from : str
        Name of a separate ``<Labels>`` tag that names the regions of a tag without labels of its own; empty if none.
    params : mapping of str to str
        The raw ``model_*`` attributes of the tag, without that prefix.
    address : str
        The image tag's ``value`` or ``valueList`` as written (``$image``, ``https://host/$name.png``):
        ``labelstudio.task_data.image_addresses`` puts a task's data into it.
    closable : bool
        A Vector tag whose paths may be closed.
    max_points : int or None
        The most points a region may have, where the tag limits them.
    """

    from_name: str
    to_name: str
    tag: str
    data_key: str
    is_list: bool = False
    labels: tuple[Label, ...] = ()
    labels_key: str = ""
    labels_from: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    closable: bool = False
    max_points: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One task of Label Studio, as far as a prediction needs it."""

    id: int | str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Region:
    """One segment with its label, ready to be written for its control tag.

    Attributes
    ----------
    segment : int
        Number in the prediction's label map; 0 is the background, sent only where a label asks for it.
    label : str
        Empty where the control has no labels.
    score : float or None
        In [0, 1].
    control : Control
    id : str
        Made from its origin, so that reruns agree; fresh in an interactive answer.
    """

    segment: int
    label: str
    score: float | None
    control: Control
    id: str


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The regions of one image. They share the label map, so that hundreds of masks cost one array.

    Attributes
    ----------
    label_map : int32 (H, W)
        At the size the browser shows.
    regions : tuple of Region
        In the order they are to be listed.
    item_index : int or None
        Which image of a task with several (``valueList``); None for a task with one.
    """

    label_map: LabelMap
    regions: tuple[Region, ...]
    item_index: int | None = None
