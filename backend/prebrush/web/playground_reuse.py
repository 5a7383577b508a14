"""What a method found before the clean-up, kept for a while: moving a slider of the clean-up does not find it anew."""

from dataclasses import replace

from prebrush.datatypes import LabelMap, Prompt, RGBImage
from prebrush.pictures import Picture
from prebrush.recent import Recent
from prebrush.recipes import Recipe

MOST_BYTES = 96_000_000
"""Of label maps: those of some twenty settings at a megapixel."""


class FoundBefore:
    """The last label maps of methods, by photo and parameters. Safe to share between threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._kept: Recent[LabelMap] = Recent(most_bytes, lambda label_map: label_map.nbytes)

    def reusing(self, recipe: Recipe, picture: Picture) -> Recipe:
        """Return the recipe with a method that looks here first; it finds the same pixels."""
        method = recipe.method

        def find(image: RGBImage, params: object, prompt: Prompt) -> LabelMap:
            if prompt:
                return method.function(image, params, prompt)
            # the image is the photo, maybe scaled down, so that its size tells which of them it is
            key = f"{picture.digest}/{image.shape}/{method.name}/{params!r}"
            found = self._kept.get(key)
            if found is None:
                found = method.function(image, params, prompt)
                self._kept.put(key, found)
            return found

        return replace(recipe, method=replace(method, function=find))
