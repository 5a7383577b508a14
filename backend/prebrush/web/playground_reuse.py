"""What methods found and what they went through, kept for a while: a slider moved anew does only what depends on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.recent import Recent
from prebrush.recipes import Recipe
from prebrush.segmentation.stages import bytes_of, kept_by, stage

MOST_BYTES = 192_000_000
"""Of label maps and stages: those of some twenty settings at a megapixel."""


class FoundBefore:
    """The last label maps and stages of methods, by image and knobs. Safe to share between threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._kept: Recent[Any] = Recent(most_bytes, bytes_of)

    @contextmanager
    def reusing(self, recipe: Recipe) -> Iterator[Recipe]:
        """Give the recipe with a method that looks here first; it finds the same pixels."""
        method = recipe.method

        def find(image: RGBImage, params: object, prompt: Prompt) -> LabelMap:
            if prompt:
                return method.function(image, params, prompt)
            return stage(method.function, image, params, prompt)

        with kept_by(self._kept):
            yield replace(recipe, method=replace(method, function=find))
