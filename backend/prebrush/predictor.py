"""The flow on one screen: tasks and their labeling config in, encoded predictions out."""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from functools import partial
from itertools import chain
from typing import Any

import cv2

from prebrush.datatypes import Prompt, RGBImage, Segments, Task
from prebrush.errors import InvalidPrompt, PrebrushError, RequestError, SegmentationError
from prebrush.jobs import Jobs, Urgency
from prebrush.labelstudio import outlines, rle_kernels
from prebrush.labelstudio.config import parse_label_config
from prebrush.labelstudio.prompts import build_prompt, find_target
from prebrush.labelstudio.request import PredictRequest, SetupRequest
from prebrush.labelstudio.result import NOT_READY, encode_entry, encode_prediction
from prebrush.labelstudio.task_data import image_addresses, labels_of
from prebrush.pictures import Picture, Pictures
from prebrush.planning import Plan, Recipe, build_plan, build_recipe, unusable_plan
from prebrush.projects import Projects, ProjectState
from prebrush.regions import build_prediction, build_prompted_prediction, mean_score
from prebrush.segmentation.kernels import warm_all
from prebrush.segmentation.pipeline import run as run_pipeline
from prebrush.settings import Settings
from prebrush.storage import ForgivingStorage, Storage, open_storage, pack_segments, unpack_segments

logger = logging.getLogger(__name__)

PROMPT_RECIPE = build_recipe({"method": "felzenszwalb", "params": {"scale": 100, "min_size": 100}})
"""The partition that clicks and boxes choose from, where the project's own method reads no prompts."""

FETCHERS = 4
"""Threads beyond the computing ones, so that the network's time is not the processor's."""


class Predictor:
    """Answers for tasks. Safe to share between threads; a copy on another machine needs only the same storage."""

    def __init__(self, settings: Settings, storage: Storage, pictures: Pictures) -> None:
        self.settings = settings
        self._storage = storage
        self._pictures = pictures
        self._projects = Projects(storage)
        cores = settings.server.jobs or os.cpu_count() or 1
        self._computing = threading.BoundedSemaphore(cores)
        self._jobs: Jobs[bytes] = Jobs(cores + FETCHERS)

    @property
    def unfinished(self) -> int:
        """How many tasks wait or run."""
        return self._jobs.unfinished

    def close(self) -> None:
        """Write what the storage could not take yet, and let go of it."""
        self._storage.close()

    def set_up(self, request: SetupRequest) -> Plan:
        """Remember what Label Studio told of a project. Every labeling config gets an answer."""
        self._projects.remember(
            request.project,
            ProjectState(
                hostname=request.hostname,
                token=request.access_token,
                extra_params=dict(request.extra_params or {}),
                label_config=request.label_config,
            ),
        )
        try:
            plan = self._plan(request.project, request.label_config)
        except RequestError as error:
            plan = unusable_plan(f"{request.label_config}{request.extra_params}", str(error))
        if plan.problem:
            logger.warning("project %s cannot be served: %s", request.project, plan.problem)
        return plan

    def versions(self, project: str) -> list[str]:
        """List the model versions in force, of one project or of all that are known."""
        names = [project] if project else self._projects.names()
        found: dict[str, None] = {}
        for name in names:
            try:
                found[self._plan(name, self._projects.recall(name).label_config).model_version] = None
            except RequestError:
                continue
        return list(found)

    def validate(self, label_config: str) -> None:
        """Check that a labeling config can be served.

        Raises
        ------
        RequestError
            It cannot; the message says what to change.
        """
        self._plan("", label_config).require_controls()

    def answer(self, request: PredictRequest) -> tuple[list[bytes], str]:
        """Predict every task of a request, in order.

        Returns
        -------
        entries : list of bytes
            An encoded entry for each task; `NOT_READY` for one that failed or is not ready yet.
        model_version : str

        Raises
        ------
        RequestError
            The labeling config or the parameters cannot be served.
        Overloaded
            Too many tasks are waiting.
        """
        plan = self._plan(request.project, request.label_config)
        plan.require_controls()
        state = self._projects.recall(request.project)
        if request.context is not None:
            return [self._answer_marks(plan, state, task, request) for task in request.tasks], plan.model_version
        deadline = time.monotonic() + self.settings.server.answer_within_s
        urgency = Urgency.NOW if len(request.tasks) == 1 else Urgency.BATCH
        futures = [
            self._jobs.submit(
                (plan.fingerprint, request.project, str(task.id), repr(task.data)),
                partial(self._predict_or_log, plan, state, task, request),
                urgency,
            )
            for task in request.tasks
        ]
        return _collect(futures, request.tasks, deadline), plan.model_version

    def compute(self, pixels: RGBImage, recipe: Recipe, prompt: Prompt | None = None) -> Segments:
        """Segment one image, waiting for a free core."""
        with self._computing:
            return compute_segments(pixels, recipe, prompt)

    def _plan(self, project: str, label_config: str) -> Plan:
        config = parse_label_config(label_config)
        return build_plan(config, self.settings, project, self._projects.recall(project).extra_params)

    def _predict_or_log(self, plan: Plan, state: ProjectState, task: Task, request: PredictRequest) -> bytes:
        """Predict one task; what goes wrong with it is logged and costs only this task."""
        try:
            return self._predict(plan, state, task, request, fresh_ids=False)
        except SegmentationError:
            logger.exception("task %s: no prediction", task.id)
        except PrebrushError as error:
            logger.warning("task %s: no prediction: %s", task.id, error)
        except Exception:
            logger.exception("task %s: no prediction because of an error inside prebrush", task.id)
        return NOT_READY

    def _predict(
        self, plan: Plan, state: ProjectState, task: Task, request: PredictRequest, *, fresh_ids: bool
    ) -> bytes:
        addresses = [image_addresses(each.control, task.data) for each in plan.controls]
        pictures = {
            address: self._pictures.open(address, task.id, state, request.login, request.password, stored=not fresh_ids)
            for address in dict.fromkeys(chain.from_iterable(addresses))
        }
        labels = [labels_of(each.control, task.data) for each in plan.controls]
        origin = _hash(plan.fingerprint, repr(labels), *(picture.digest for picture in pictures.values()))
        key = f"entry:{origin}"
        entry = None if fresh_ids else self._storage.get(key)
        if entry is not None:
            return entry
        predictions = []
        for each, places, names in zip(plan.controls, addresses, labels, strict=True):
            for index, address in enumerate(places):
                picture = pictures[address]
                segments = self._segments(picture, each.recipe)
                place = index if each.control.is_list else None
                seed = None if fresh_ids else f"{origin}/{place}"
                predictions.append(build_prediction(each, segments, picture, names, place, seed))
        entry = encode_entry(encode_prediction(predictions), mean_score(predictions), plan.model_version)
        if not fresh_ids:
            self._storage.put(key, entry)
        return entry

    def _answer_marks(self, plan: Plan, state: ProjectState, task: Task, request: PredictRequest) -> bytes:
        """Answer clicks and boxes on one task with one region, under a fresh id."""
        try:
            return self._predict_marked(plan, state, task, request)
        except InvalidPrompt as error:
            logger.warning("task %s: nothing to segment: %s", task.id, error)
            return encode_entry(b"[]", 0.0, plan.model_version)
        except PrebrushError as error:
            logger.warning("task %s: no prediction: %s", task.id, error)
            return NOT_READY

    def _predict_marked(self, plan: Plan, state: ProjectState, task: Task, request: PredictRequest) -> bytes:
        context = request.context or {}
        target = find_target(context)
        each = next((c for c in plan.controls if c.control.to_name == target.to_name), plan.controls[0])
        addresses = image_addresses(each.control, task.data)
        index = target.item_index or 0
        if not 0 <= index < len(addresses):
            raise InvalidPrompt(f"item_index {index} in a task of {len(addresses)} images")
        picture = self._pictures.open(addresses[index], task.id, state, request.login, request.password, stored=False)
        prompt = build_prompt(context, picture.height, picture.width)
        if not prompt:
            return self._predict(plan, state, task, request, fresh_ids=True)
        place = index if each.control.is_list else None
        labels = labels_of(each.control, task.data)
        if each.recipe.method.prompts:
            segments = self.compute(picture.pixels, each.recipe, prompt)
        else:
            segments = self._segments(picture, PROMPT_RECIPE)
        prediction = build_prompted_prediction(each, segments, prompt, labels, place)
        return encode_entry(encode_prediction(prediction), mean_score([prediction]), plan.model_version)

    def _segments(self, picture: Picture, recipe: Recipe) -> Segments:
        """Take the segments from the storage, or compute and keep them."""
        key = f"segments:{picture.digest}:{_hash(recipe.fingerprint)}"
        packed = self._storage.get(key)
        found = None if packed is None else unpack_segments(packed, self.settings.images.max_pixels)
        if found is not None and found.label_map.shape == (picture.height, picture.width):
            return found
        segments = self.compute(picture.pixels, recipe)
        self._storage.put(key, pack_segments(segments))
        return segments


def build_predictor(settings: Settings) -> Predictor:
    """Join the services that the settings describe."""
    # the threads are ours: OpenCV's own would fight them for the cores
    cv2.setNumThreads(1)
    kept = settings.storage
    storage = ForgivingStorage(open_storage(kept.url, max_bytes=kept.max_bytes, ttl_s=kept.ttl_s))
    return Predictor(settings, storage, Pictures(settings, storage))


def warm_kernels() -> None:
    """Load every compiled kernel, compiling what is not in the cache on disk, so that no request waits for it."""
    rle_kernels.warm()
    outlines.warm()
    warm_all()


def compute_segments(pixels: RGBImage, recipe: Recipe, prompt: Prompt | None = None) -> Segments:
    """Run one recipe on one image."""
    return run_pipeline(pixels, recipe.method, recipe.params, recipe.cleanup, prompt or Prompt(), recipe.classes)


def _collect(futures: Sequence[Future[bytes]], tasks: Sequence[Task], deadline: float) -> list[bytes]:
    """Wait until the deadline; what is not ready by then goes on in the background and is ready for the next call."""
    wait(futures, timeout=max(0.0, deadline - time.monotonic()))
    late = [task.id for future, task in zip(futures, tasks, strict=True) if not future.done()]
    if late:
        logger.warning("%d of %d tasks go on in the background: the answer is due", len(late), len(tasks))
    return [future.result() if future.done() else NOT_READY for future in futures]


def _hash(*parts: Any) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:40]
