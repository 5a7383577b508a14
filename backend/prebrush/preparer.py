"""Preparing images for clicks while nobody waits for anything else."""

import logging
import threading
import time
from collections import deque

from prebrush.errors import PrebrushError
from prebrush.jobs import Urgency
from prebrush.pictures import Picture
from prebrush.recipes import Recipe
from prebrush.segmenter import Segmenter

logger = logging.getLogger(__name__)

QUIET_S = 0.3
"""It starts when nothing was asked for so long: a person looks at a task for longer before the first click."""
LOOK_EVERY_S = 0.05
MOST_WAITING = 32
"""The image of the task opened last comes first, and the oldest are forgotten."""


class Preparer:
    """One thread that prepares images in the background. Safe to share between threads."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._waiting: deque[tuple[Picture, Recipe]] = deque(maxlen=MOST_WAITING)
        self._changed = threading.Condition()
        self._last_asked = 0.0
        threading.Thread(target=self._serve, name="prebrush-preparer", daemon=True).start()

    @property
    def waiting(self) -> int:
        """How many images wait to be prepared."""
        return len(self._waiting)

    def stand_back(self) -> None:
        """Note that somebody asks for something."""
        self._last_asked = time.monotonic()

    def want(self, picture: Picture, recipe: Recipe) -> None:
        """Prepare a picture for the recipe that answers marks on it, if it is not prepared already."""
        if recipe.method.preparation is not None and not self._segmenter.is_prepared(picture, recipe):
            with self._changed:
                for earlier, _ in self._waiting:
                    # decoded images of all that wait would be gigabytes; these are fetched again when their turn comes
                    earlier.release()
                self._waiting.append((picture, recipe))
                self._changed.notify()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
            # not beside a request either: two large images at once would need twice the memory
            while (quiet_s := time.monotonic() - self._last_asked) < QUIET_S or self._segmenter.cores.taken:
                time.sleep(max(QUIET_S - quiet_s, LOOK_EVERY_S))
            with self._changed:
                picture, recipe = self._waiting.pop()
            try:
                # not behind a batch: who clicks meanwhile waits for this
                self._segmenter.prepare(picture, recipe, Urgency.NOW)
            except PrebrushError as error:
                logger.info("an image is not prepared for clicks: %s", error)
            except Exception:
                logger.exception("an image is not prepared for clicks")
            picture.release()
            del picture
