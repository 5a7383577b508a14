"""From a picture and a recipe to its segments: kept if they are known, else computed when a core is free."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from prebrush.datatypes import Mask, Prompt, RGBImage, Segments
from prebrush.errors import InvalidPrompt
from prebrush.images import DECODING_VERSION
from prebrush.jobs import Slots, Urgency, stop_if_abandoned
from prebrush.measures import Measures
from prebrush.pictures import Picture
from prebrush.recent import Recent
from prebrush.recipes import Recipe, key_hash, versions_of
from prebrush.segmentation.cleanup import UNTOUCHED
from prebrush.segmentation.method import Arrays
from prebrush.segmentation.picking import pick_segments
from prebrush.segmentation.pipeline import run as run_pipeline
from prebrush.segmentation.refining import refine
from prebrush.sharing import Sharing
from prebrush.storage import Storage, pack_arrays, pack_segments, unpack_arrays, unpack_segments

PREPARED_BYTES = 96_000_000
"""Of images prepared for clicks, kept in memory beside the storage: a dozen or two."""

STORED_PREPARED_BYTES = 256_000_000
"""Of them in the storage, from each server: they are large and soon of no use, and must not push out the segments."""

MOST_PREPARED_BYTES = 64_000_000
"""Of one image."""


class Segmenter:
    """Segments pictures for whoever asks, and keeps what it found. Safe to share between threads.

    Parameters
    ----------
    storage : Storage
    cores : int
        How many images are segmented at the same time.
    max_pixels : int
        Of an image; what is stored of a larger one is not read.
    measures : Measures

    Attributes
    ----------
    cores : Slots
        The places for work that fills a core.
    """

    def __init__(self, storage: Storage, cores: int, max_pixels: int, measures: Measures) -> None:
        self._storage = storage
        self.cores = Slots(cores)
        self._sharing = Sharing(storage, self.cores)
        self._measures = measures
        self._max_pixels = max_pixels
        self._prepared: Recent[Arrays] = Recent(PREPARED_BYTES, _size_of)
        self._stored: Recent[int] = Recent(STORED_PREPARED_BYTES, int)
        self._locks = [threading.Lock() for _ in range(1024)]

    @property
    def kept_bytes(self) -> int:
        """Bytes of the prepared images in memory."""
        return self._prepared.size

    def compute(self, pixels: RGBImage, recipe: Recipe, urgency: Urgency = Urgency.NOW) -> Segments:
        """Segment an image, waiting for a free core."""
        with self.cores.take(urgency), self._measures.clock("segment", recipe.method.name):
            return compute_segments(pixels, recipe)

    def draft(self, pixels: RGBImage, recipe: Recipe, most_pixels: int) -> Segments:
        """Segment a smaller copy of an image, of about so many pixels, and leave the segments at that size."""
        with self.cores.take(Urgency.NOW), self._measures.clock("segment", recipe.method.name):
            return run_pipeline(
                pixels,
                recipe.method,
                recipe.params,
                recipe.cleanup,
                classes=recipe.classes,
                working_pixels=most_pixels,
                enlarged=False,
                free=recipe.free,
            )

    def segments(self, picture: Picture, recipe: Recipe, urgency: Urgency) -> Segments:
        """Take the segments from the storage, or compute and keep them."""
        key = f"segments:{picture.digest}:{key_hash(DECODING_VERSION, recipe.fingerprint)}"

        def find() -> Segments | None:
            packed = self._storage.get(key)
            found = None if packed is None else unpack_segments(packed, self._max_pixels)
            fits = found is not None and found.label_map.shape == (picture.height, picture.width)
            return found if fits else None

        def compute() -> Segments:
            with self._measures.clock("segment", recipe.method.name):
                segments = compute_segments(pixels, recipe)
            self._storage.put(key, pack_segments(segments))
            return segments

        found = find()
        self._measures.count_read("segments", hit=found is not None)
        if found is None:
            stop_if_abandoned()
            pixels = picture.pixels
            found = self._sharing.work(key, picture.height * picture.width, find, compute, urgency)
        return found

    def marked(self, picture: Picture, recipe: Recipe, prompt: Prompt) -> Segments:
        """Find the one object that marks point at; see `segment_marked`.

        Parameters
        ----------
        recipe : Recipe
            What answers marks, as a `ControlPlan` has it.
        """
        if not recipe.method.prompts:
            return pick(self.segments(picture, recipe, Urgency.NOW), prompt)
        if recipe.method.preparation is None:
            pixels = picture.pixels
            with self._answering(recipe):
                return segment_marked(pixels, recipe, prompt)
        prepared = self.prepare(picture, recipe, Urgency.NOW)
        with self._answering(recipe):
            return recipe.method.segment_prepared(prepared, recipe.params, prompt, (picture.height, picture.width))

    @contextmanager
    def _answering(self, recipe: Recipe) -> Iterator[None]:
        """Take a core to answer marks."""
        with self.cores.take(Urgency.NOW), self._measures.clock("answer_marks", recipe.method.name):
            yield

    def refined(self, picture: Picture, recipe: Recipe, prompt: Prompt, mask: Mask) -> Mask:
        """Change an object by marks: what positive ones mean is added, what negative clicks mean is taken away.

        Parameters
        ----------
        mask : bool (H, W)
            The object so far.

        Raises
        ------
        InvalidPrompt
            Nothing is left of it.
        """
        return refine(mask, prompt, lambda marks: self._meant(picture, recipe, marks))

    def _meant(self, picture: Picture, recipe: Recipe, prompt: Prompt) -> Mask:
        """Return what marks mean; nothing where they hit nothing."""
        try:
            return self.marked(picture, recipe, prompt).label_map > 0
        except InvalidPrompt:
            return np.zeros((picture.height, picture.width), np.bool_)

    def is_prepared(self, picture: Picture, recipe: Recipe) -> bool:
        """Whether what `prepare` gives is in memory."""
        return self._prepared.get(_prepared_key(picture, recipe)) is not None

    def prepare(self, picture: Picture, recipe: Recipe, urgency: Urgency) -> Arrays:
        """Do what the recipe's method does before anything is marked, or take it from memory or the storage.

        Two that ask for the same image at once wait for one of them.
        """
        preparation = recipe.method.preparation
        assert preparation is not None  # noqa: S101  whoever calls has looked
        key = _prepared_key(picture, recipe)

        def find() -> Arrays | None:
            packed = self._storage.get(key)
            return None if packed is None else self._unpack(packed, preparation.kind)

        def compute() -> Arrays:
            with recipe.method.contained(), self._measures.clock("prepare", recipe.method.name):
                prepared = preparation.prepare(pixels)
            if _size_of(prepared) <= MOST_PREPARED_BYTES:
                packed = pack_arrays(prepared)
                self._storage.put(key, packed)
                for left in self._stored.put(key, len(packed)):
                    # no prepared image looks like this, so it is prepared anew if somebody comes back to it
                    self._storage.put(left, b"")
            return prepared

        found = self._prepared.get(key)
        if found is None:
            with self._locks[hash(key) % len(self._locks)]:
                found = self._prepared.get(key) or find()
                self._measures.count_read("prepared", hit=found is not None)
                if found is None:
                    stop_if_abandoned()
                    pixels = picture.pixels
                    found = self._sharing.work(key, picture.height * picture.width, find, compute, urgency)
                self._prepared.put(key, found)
        return found

    def _unpack(self, packed: bytes, kind: Any) -> Arrays | None:
        arrays = unpack_arrays(packed, len(kind._fields), MOST_PREPARED_BYTES)
        return None if arrays is None else kind(*arrays)


def compute_segments(pixels: RGBImage, recipe: Recipe, prompt: Prompt | None = None) -> Segments:
    """Run one recipe on one image."""
    return run_pipeline(
        pixels, recipe.method, recipe.params, recipe.cleanup, prompt or Prompt(), recipe.classes, free=recipe.free
    )


def explain(pixels: RGBImage, recipe: Recipe) -> str:
    """Tell which method an image is segmented with and, where that was chosen by the image, why."""
    told = recipe.method.explain
    return f"{recipe.method.name}: {told(pixels)}" if told else recipe.method.name


def segment_marked(pixels: RGBImage, recipe: Recipe, prompt: Prompt) -> Segments:
    """Find the one object that marks point at, with the recipe's method or, if that reads no marks, by picking.

    The clean-up is left out: it would fill the hole that a negative click cut, or drop a small thing clicked on.

    Raises
    ------
    InvalidPrompt
        The marks hit nothing.
    """
    if recipe.method.prompts:
        segments = compute_segments(pixels, replace(recipe, cleanup=UNTOUCHED), prompt)
        if not len(segments):
            raise InvalidPrompt(
                f"{recipe.method.name} finds nothing here; it takes a positive click on the object, or a box around it"
            )
        return segments
    return pick(compute_segments(pixels, recipe), prompt)


def pick(segments: Segments, prompt: Prompt) -> Segments:
    """Join the segments that marks point at to one.

    Raises
    ------
    InvalidPrompt
        There is none.
    """
    mask = pick_segments(segments.label_map, prompt)
    if not mask.any():
        raise InvalidPrompt("the marks leave nothing: no segment is under a positive click or mostly inside a box")
    return Segments(mask.astype(np.int32), classes=("foreground",))


def _size_of(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays)


def _prepared_key(picture: Picture, recipe: Recipe) -> str:
    return f"prepared:{picture.digest}:{key_hash(DECODING_VERSION, versions_of(recipe.method))}"
