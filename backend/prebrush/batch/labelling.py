"""Tasks to encoded predictions, several at a time: what may pass is tried again, what stays wrong is told."""

import base64
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import cv2
import numpy as np

from prebrush.datatypes import Prediction, Task
from prebrush.errands import FETCHERS, usable_cores
from prebrush.errors import ImageUnreachable, Overloaded, PrebrushError, StorageError, StudioAway
from prebrush.jobs import Urgency
from prebrush.measures import Measures
from prebrush.overlay import draw_overlay
from prebrush.pictures import Account, Pictures
from prebrush.planning import Plan
from prebrush.predictor import Predictor
from prebrush.regions import build_prediction
from prebrush.settings import Settings
from prebrush.storage import ForgivingStorage

logger = logging.getLogger(__name__)

PASSING = (ImageUnreachable, StudioAway, StorageError, Overloaded)
"""Errors that trying again may mend."""
PAUSES_S = (1.0, 5.0, 15.0)
"""Before each further try of a task that failed so."""
PREVIEW_PIXELS = 280 * 210


@dataclass(frozen=True, slots=True)
class Labelled:
    """A task and its prediction; or none, and the reason."""

    task: Task
    entry: bytes | None
    reason: str = ""


class BatchPredictor(Predictor):
    """The server's predictor, asked for one task at a time, and errors come out."""

    def __init__(self, settings: Settings, storage: ForgivingStorage, pictures: Pictures | None = None) -> None:
        # the threads are ours: OpenCV's own would fight them for the cores
        cv2.setNumThreads(1)
        measures = Measures()
        super().__init__(settings, storage, pictures or Pictures(settings, storage, measures), measures)
        self.threads = (settings.server.jobs or usable_cores()) + FETCHERS

    def predict(self, plan: Plan, account: Account, task: Task) -> bytes:
        """Predict a task as /predict would; the entry is encoded.

        Raises
        ------
        PrebrushError
            There is none; the message says why.
        """
        return self._predict(plan, account, task, Urgency.BATCH)

    def preview(self, plan: Plan, account: Account, task: Task) -> str:
        """Draw what was just predicted over its image, small; as the ``data:`` URL of a JPEG."""
        images = self._open_images(plan, account, task, Urgency.BATCH, stored=True)
        first = images[0].picture
        drawn: Prediction | None = None
        for image in images:
            if image.picture is first:
                segments = self.segmenter.segments(first, image.plan.recipe, Urgency.BATCH)
                drawn = build_prediction(image.plan, segments, first, image.labels, image.place, "preview")
            if drawn and drawn.regions:
                break
        label_map = drawn.label_map if drawn else np.zeros((first.height, first.width), np.int32)
        names: list[str | None] = [None] * int(label_map.max(initial=0))
        for region in drawn.regions if drawn else ():
            if region.segment:
                names[region.segment - 1] = region.label
        factor = min(1.0, (PREVIEW_PIXELS / label_map.size) ** 0.5)
        size = (max(1, round(first.width * factor)), max(1, round(first.height * factor)))
        small = np.asarray(cv2.resize(first.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        # segment counts fit a float32 exactly
        shrunk = cv2.resize(label_map.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
        drawn_small = draw_overlay(small, np.asarray(shrunk, np.int32), names)
        encoded = cv2.imencode(".jpg", drawn_small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
        return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


class Labeller:
    """Predicts tasks with a few threads; close it after use.

    Parameters
    ----------
    predict : callable (task) -> encoded entry
        Raises `PrebrushError` where there is none.
    threads : int
    stop : Event
        Once set, no further task is begun; those under way are finished.
    """

    def __init__(self, predict: Callable[[Task], bytes], threads: int, stop: threading.Event) -> None:
        self._predict = predict
        self._stop = stop
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="prebrush-batch")

    @property
    def is_stopped(self) -> bool:
        """Whether no further task is begun."""
        return self._stop.is_set()

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(cancel_futures=True)

    def label(self, tasks: Iterable[Task]) -> Iterator[Labelled]:
        """Predict tasks, in the order in which they are done; at most twice as many as threads are ahead."""
        passing: list[Task] = []
        for task, error in self._pass_over(tasks):
            if isinstance(error, PASSING):
                passing.append(task)
            else:
                yield _labelled(task, error)
        for place, pause_s in enumerate(PAUSES_S):
            if not passing or self._stop.wait(pause_s):
                break
            again, passing = passing, []
            for task, error in self._pass_over(again):
                if isinstance(error, PASSING) and place + 1 < len(PAUSES_S):
                    passing.append(task)
                else:
                    yield _labelled(task, error)

    def _pass_over(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, bytes | Exception]]:
        running: dict[Future[bytes | Exception], Task] = {}
        for task in tasks:
            if self._stop.is_set():
                break
            running[self._pool.submit(self._try, task)] = task
            if len(running) >= 2 * self._threads:
                yield from _take_done(running)
        while running:
            yield from _take_done(running)

    def _try(self, task: Task) -> bytes | Exception:
        try:
            return self._predict(task)
        except PrebrushError as error:
            return error
        except Exception as error:
            logger.exception("task %s: an error inside prebrush", task.id)
            return error


def _take_done(running: dict[Future[bytes | Exception], Task]) -> Iterator[tuple[Task, bytes | Exception]]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()


def _labelled(task: Task, found: bytes | Exception) -> Labelled:
    if isinstance(found, bytes):
        return Labelled(task, found)
    if isinstance(found, PrebrushError):
        return Labelled(task, None, str(found))
    return Labelled(task, None, f"an error inside prebrush: {type(found).__name__}: {found}")
