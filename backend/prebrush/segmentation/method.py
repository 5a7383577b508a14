"""What a segmentation method is. How its knobs are declared is in `prebrush.knobs`, all of which is found here too."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from prebrush.datatypes import LabelMap, Prompt, RGBImage, Segments
from prebrush.errors import SegmentationError
from prebrush.knobs import Knob, join_knobs, knobs_of, param, parse_knobs, show
from prebrush.segmentation.kernels.components import occurring

__all__ = [
    "Arrays",
    "Knob",
    "Method",
    "Preparation",
    "PromptKind",
    "join_knobs",
    "knobs_of",
    "param",
    "parse_knobs",
    "show",
]

P = TypeVar("P")
PromptKind = Literal["points", "boxes", "scribble"]


Arrays = tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class Preparation(Generic[P]):
    """The work of a method that reads marks, in two parts, so that the first is done once for all clicks on an image.

    Attributes
    ----------
    prepare : callable (image) -> named tuple of arrays
        All that depends on the image alone, which is uint8 (H, W, 3), RGB, of any size.
    answer : callable (prepared, params, prompt) -> label map
        int32 (H, W), 1 object, 0 background.
    kind : type of named tuple
        What ``prepare`` returns; its fields are arrays of numbers, so that it can be stored.
    """

    prepare: Callable[[RGBImage], Arrays]
    answer: Callable[[Any, P, Prompt], LabelMap]
    kind: Any


@dataclass(frozen=True, slots=True)
class Method(Generic[P]):
    """A segmentation method: one function, its knobs, and what its segments are called.

    Attributes
    ----------
    function : callable (image, params, prompt) -> label map
        image is uint8 (H, W, 3), RGB, read-only; the label map is int32 (H, W), 0 background, 1..n without gaps.
    params_class : dataclass
        Its fields are the knobs, declared with ``param()``.
    version : int
        Raised whenever the same input and knobs give other pixels, so that cached results are left behind.
    prompts : tuple of str
        Which kinds of prompt the function uses; empty for an automatic method.
    class_name : str
        What a segment is called in ``predicted_values``: ``foreground`` for all of them, or with ``{}`` for the number
        counted from 0, as in ``cluster-{}``; empty where a class has no meaning.
    preparation : Preparation or None
        For a method that answers marks quickly once the image is prepared.
    explain : callable (image) -> str, or None
        For a method that chooses by the image: what it chose and why, in one sentence.
    suit : callable (image, params) -> (params, mapping), or None
        For a method that chooses by the image: its params with the choice made, and the knobs of the clean-up that suit
        what it chose, for where nobody set them.
    thin : bool
        Whether its segments are lines: smoothing would wear them away, and their meshes are no holes to fill.
    uses : tuple of str
        Names of the methods this one is built on: when one of them changes its pixels, this one does too.
    name : str
        Filled in when the method is registered: the module's name, or the entry point's.
    package : str
        Filled in when the method is registered: the package that brought it, empty for prebrush's own.
    """

    function: Callable[[RGBImage, P, Prompt], LabelMap]
    params_class: type[P]
    version: int
    prompts: tuple[PromptKind, ...] = ()
    class_name: str = ""
    thin: bool = False
    uses: tuple[str, ...] = ()
    preparation: Preparation[P] | None = None
    explain: Callable[[RGBImage], str] | None = None
    suit: Callable[[RGBImage, P], tuple[P, Mapping[str, object]]] | None = None
    name: str = ""
    package: str = ""

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """The method's parameters, in order."""
        return knobs_of(self.params_class)

    @property
    def summary(self) -> str:
        """The first line of the docstring of the method's module, without the full stop."""
        module = __import__(self.function.__module__, fromlist=["__doc__"])
        return (module.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    def parse_params(self, values: Mapping[str, object]) -> P:
        """Check raw knob values; see `parse_knobs`."""
        return parse_knobs(self.params_class, values, owner=self.name)

    def segment(self, image: RGBImage, params: P, prompt: Prompt | None = None) -> Segments:
        """Run the method and check what it returned.

        Raises
        ------
        SegmentationError
            The method broke its contract, or, brought by a package, raised anything.
        """
        label_map = self._call(image, params, prompt or Prompt())
        return self._checked(label_map, (image.shape[0], image.shape[1]))

    def segment_prepared(self, prepared: Arrays, params: P, prompt: Prompt, shape: tuple[int, int]) -> Segments:
        """Answer marks on an image of this height and width that was prepared.

        Raises
        ------
        SegmentationError
            The method broke its contract.
        """
        if self.preparation is None:
            raise SegmentationError(f"{self.name} prepares nothing")
        with self.contained():
            label_map = np.asarray(self.preparation.answer(prepared, params, prompt))
        if label_map.shape != shape or label_map.dtype != np.int32:
            raise SegmentationError(f"{self.name} returned {label_map.dtype} {label_map.shape} for an image of {shape}")
        if label_map.min(initial=0) < 0 or label_map.max(initial=0) > 1:
            raise SegmentationError(f"{self.name} returned more than one object")
        # one object has no gaps in its numbers: the other checks would cost as much as the answer
        return Segments.trusted(label_map, None, (self.class_name,) * int(label_map.max(initial=0)))

    @contextmanager
    def contained(self) -> Iterator[None]:
        """Turn whatever the code of a package raises into a `SegmentationError`; our own methods' errors pass."""
        try:
            yield
        except Exception as error:
            if not self.package or isinstance(error, SegmentationError):
                raise
            what = f"{type(error).__name__}: {error}"
            raise SegmentationError(f"{self.name} of the package {self.package} failed with {what}") from error

    def _checked(self, label_map: LabelMap, shape: tuple[int, int]) -> Segments:
        """Check what the function returned, and name the segments."""
        if label_map.shape != shape:
            raise SegmentationError(f"{self.name} returned {label_map.shape} for an image of {shape}")
        if not np.issubdtype(label_map.dtype, np.int32):
            raise SegmentationError(f"{self.name} returned {label_map.dtype}, not int32")
        count = int(label_map.max(initial=0))
        classes = tuple(self.class_name.format(number) for number in range(count))
        # a cheaper look first; `Segments` tells what is wrong
        numbered = label_map.min(initial=0) == 0 and count <= label_map.size and occurring(label_map, count)[1:].all()
        return Segments.trusted(label_map, None, classes) if numbered else Segments(label_map, None, classes)

    def _call(self, image: RGBImage, params: P, prompt: Prompt) -> LabelMap:
        """Call the function; what a package brought is trusted with nothing that our own methods are tested for."""
        if not self.package:
            return self.function(image, params, prompt)
        with self.contained():
            label_map = np.asarray(self.function(image, params, prompt))
        numbers = np.unique(label_map[label_map != 0]) if label_map.dtype == np.int32 else ()
        if not np.array_equal(numbers, np.arange(1, len(numbers) + 1)):
            raise SegmentationError(f"{self.name} must number its segments 1..n without gaps, background 0")
        return label_map
