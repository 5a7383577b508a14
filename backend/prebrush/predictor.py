"""The flow on one screen: tasks and their labeling config in, encoded predictions out."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import cv2

from prebrush.datatypes import Label, Task
from prebrush.errands import Errand, Errands, usable_cores
from prebrush.errors import InvalidBody, InvalidPrompt, RequestError
from prebrush.jobs import Urgency
from prebrush.labelstudio.config import parse_label_config
from prebrush.labelstudio.drawn import find_touched
from prebrush.labelstudio.prompts import build_prompt, find_target
from prebrush.labelstudio.request import PredictRequest, SetupRequest
from prebrush.labelstudio.result import encode_entry, encode_prediction, join_results
from prebrush.labelstudio.task_data import has_image, image_addresses, labels_of
from prebrush.measures import Measures
from prebrush.pictures import Account, Picture, Pictures
from prebrush.planning import ControlPlan, Plan, build_plan, unusable_plan
from prebrush.preparer import Preparer
from prebrush.projects import Projects, ProjectState
from prebrush.recent import Recent
from prebrush.recipes import key_hash
from prebrush.regions import build_prediction, build_prompted_prediction, choose_control, mean_score
from prebrush.segmenter import Segmenter
from prebrush.settings import Settings
from prebrush.storage import ForgivingStorage, open_storage

logger = logging.getLogger(__name__)

RECENT_BYTES = 64_000_000
"""Of encoded predictions kept in memory beside the storage."""
MOST_LISTED = 1000
"""Projects whose versions are listed together; each costs a millisecond."""


@dataclass(frozen=True, slots=True)
class ImageOfControl:
    """One image that a control's regions go on; ``place`` is its index in a task of several."""

    plan: ControlPlan
    labels: tuple[Label, ...]
    place: int | None
    picture: Picture


class Predictor:
    """Answers for tasks. Safe to share between threads; a copy on another machine needs only the same storage."""

    def __init__(self, settings: Settings, storage: ForgivingStorage, pictures: Pictures, measures: Measures) -> None:
        self.settings = settings
        self.measures = measures
        self.storage = storage
        self.pictures = pictures
        self.projects = Projects(storage)
        cores = settings.server.jobs or usable_cores()
        self.segmenter = Segmenter(storage, cores, settings.images.max_pixels, measures)
        self.errands = Errands(cores, measures)
        self.preparer = Preparer(self.segmenter)
        self._recent: Recent[bytes] = Recent(RECENT_BYTES, len)

    @property
    def kept_bytes(self) -> int:
        """Bytes kept in memory beside the storage, of what was answered and prepared last."""
        return self._recent.size + self.segmenter.kept_bytes

    def close(self) -> None:
        """Write what the storage could not take yet, and let go of it."""
        self.storage.close()

    def set_up(self, request: SetupRequest) -> Plan:
        """Remember what Label Studio told of a project. Every labeling config gets an answer.

        Raises
        ------
        InvalidBody
            The extra parameters are too long to be kept.
        """
        before = self.projects.recall(request.project)
        state = ProjectState(
            hostname=request.hostname,
            token=request.access_token,
            extra_params=dict(request.extra_params or {}),
            label_config=request.label_config,
            saved=before.saved,
        )
        try:
            plan = self._plan(request.project, request.label_config, state)
        except RequestError as error:
            plan = unusable_plan(f"{request.label_config}{request.extra_params}", str(error))
        self.projects.remember(request.project, state)
        if plan.problem:
            logger.warning("project %s cannot be served: %s", request.project, plan.problem)
        # Label Studio sets a project up again and again; once is enough, until something changes
        if (state.label_config, state.extra_params) != (before.label_config, before.extra_params):
            for doubt in plan.doubts:
                logger.warning("project %s: %s", request.project, doubt)
        return plan

    def versions(self, project: str) -> list[str]:
        """List the model versions in force, of one project or of all that are known, but of `MOST_LISTED` at most."""
        names = [project] if project else self.projects.names()[:MOST_LISTED]
        found: dict[str, None] = {}
        for name in names:
            state = self.projects.recall(name)
            with suppress(RequestError):
                found[self._plan(name, state.label_config, state).model_version] = None
        return list(found)

    def validate(self, label_config: str) -> None:
        """Check that a labeling config can be served.

        Raises
        ------
        RequestError
            It cannot; the message says what to change.
        """
        self._plan("", label_config, ProjectState()).require_controls()

    def answer(self, request: PredictRequest, is_gone: Callable[[], bool] = lambda: False) -> tuple[list[bytes], str]:
        """Predict every task of a request, in order.

        Parameters
        ----------
        request : PredictRequest
            With a context (clicks, boxes, strokes) it must hold exactly one task.
        is_gone : callable () -> bool
            Tells whether the client has hung up.

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
        Abandoned
            The client has hung up.
        """
        self.preparer.stand_back()
        due = time.monotonic() + self.settings.server.answer_within_s
        state = self.projects.recall(request.project)
        plan = self._plan(request.project, request.label_config or state.label_config, state)
        plan.require_controls()
        account = Account(state, request.login, request.password)
        urgency = Urgency.NOW if len(request.tasks) == 1 else Urgency.BATCH
        if request.context is not None:
            if len(request.tasks) != 1:
                raise InvalidBody(f"tasks: {len(request.tasks)} with a context; clicks and boxes are on one task")
            # a key of its own: each answer has fresh ids, so none is shared
            work = partial(self._predict_marked, plan, account, request, request.context)
            errands = [Errand(object(), request.tasks[0], work)]
        else:
            errands = [self._errand(plan, account, task, urgency) for task in request.tasks]
        return self.errands.run(errands, urgency, due, is_gone), plan.model_version

    def _plan(self, project: str, label_config: str, state: ProjectState) -> Plan:
        return build_plan(parse_label_config(label_config), self.settings, project, state.extra_params, state.saved)

    def _errand(self, plan: Plan, account: Account, task: Task, urgency: Urgency) -> Errand:
        key = key_hash(plan.fingerprint, account.fingerprint, task.id, task.data)
        return Errand(key, task, partial(self._predict, plan, account, task, urgency))

    def _predict(self, plan: Plan, account: Account, task: Task, urgency: Urgency) -> bytes:
        """Predict one task, or take what was predicted before."""
        images = self._open_images(plan, account, task, urgency, stored=True)
        # the task is part of it because ids are made from it: two tasks with one image have regions of their own
        shown = ((image.plan.control.to_name, image.labels, image.place, image.picture.digest) for image in images)
        origin = key_hash(plan.fingerprint, task.id, *shown)
        key = f"entry:{origin}"
        entry = self._recent.get(key) or self.storage.get(key)
        self.measures.count_read("answer", hit=entry is not None)
        if entry is None:
            entry = self._build_entry(plan, images, origin, urgency)
            self.storage.put(key, entry)
        self._recent.put(key, entry)
        # of a task that was just opened, so that the first click is warm
        if urgency is Urgency.NOW and images and images[0].plan.prompts.prepare:
            self.preparer.want(images[0].picture, images[0].plan.marks)
        return entry

    def _open_images(
        self, plan: Plan, account: Account, task: Task, urgency: Urgency, *, stored: bool
    ) -> list[ImageOfControl]:
        """Find every image of every control; what had to be fetched for that is segmented at once.

        A task may leave out some of the images that a config shows, but not all. Of a task with many images, no two
        are decoded at the same time.
        """
        pictures: dict[str, Picture] = {}
        found = []
        for each in [each for each in plan.controls if has_image(each.control, task.data)] or plan.controls:
            labels = labels_of(each.control, task.data)
            for index, address in enumerate(image_addresses(each.control, task.data)):
                if address not in pictures:
                    pictures[address] = self.pictures.open(address, task.id, account, stored=stored)
                place = index if each.control.is_list else None
                found.append(ImageOfControl(each, labels, place, pictures[address]))
                if each.control.is_list and pictures[address].is_decoded:
                    self.segmenter.segments(pictures[address], each.recipe, urgency)
                    pictures[address].release()
        return found

    def _build_entry(self, plan: Plan, images: Sequence[ImageOfControl], origin: str | None, urgency: Urgency) -> bytes:
        """Name, number and encode the segments of all images; without an origin, ids are fresh."""
        results, scores = [], []
        for image in images:
            segments = self.segmenter.segments(image.picture, image.plan.recipe, urgency)
            seed = None if origin is None else f"{origin}/{image.place}"
            with self.measures.clock("encode", image.plan.recipe.method.name):
                prediction = build_prediction(image.plan, segments, image.picture, image.labels, image.place, seed)
                results.append(encode_prediction(prediction))
            scores += [region.score for region in prediction.regions if region.score is not None]
        return encode_entry(join_results(results), mean_score(scores), plan.model_version)

    def _predict_marked(
        self, plan: Plan, account: Account, request: PredictRequest, context: Mapping[str, Any]
    ) -> bytes:
        """Answer clicks and boxes with one region, or, where nothing is marked, with a whole prediction."""
        task = request.tasks[0]
        try:
            entry = self._segment_marked(plan, account, request, context)
        except InvalidPrompt as error:
            logger.warning("task %s: nothing to segment: %s", task.id, error)
            return encode_entry(b"[]", 0.0, plan.model_version, detail=str(error))
        if entry is None:
            images = self._open_images(plan, account, task, Urgency.NOW, stored=False)
            entry = self._build_entry(plan, images, None, Urgency.NOW)
        return entry

    def _segment_marked(
        self, plan: Plan, account: Account, request: PredictRequest, context: Mapping[str, Any]
    ) -> bytes | None:
        task = request.tasks[0]
        target = find_target(context)
        each, label = choose_control(plan.controls, target, task)
        addresses = image_addresses(each.control, task.data)
        index = target.item_index or 0
        if not 0 <= index < len(addresses):
            raise InvalidPrompt(f"item_index {index} in a task of {len(addresses)} images")
        picture = self.pictures.open(addresses[index], task.id, account, stored=False)
        prompt = build_prompt(context, picture.height, picture.width)
        if not prompt:
            return None
        prompt = replace(prompt, label=label.name if label else "")
        place = index if each.control.is_list else None
        touched = None
        if each.prompts.refine:
            names = label.names if label else ()
            shape = (picture.height, picture.width)
            touched = find_touched(request.body, prompt, each.control, names, place, shape)
        if touched:
            found = self.segmenter.refined(picture, each.marks, prompt, touched.mask)
        else:
            found = self.segmenter.marked(picture, each.marks, prompt).label_map > 0
        prediction = build_prompted_prediction(each, found, prompt, place, touched.id if touched else None)
        return encode_entry(encode_prediction(prediction), mean_score([]), plan.model_version)


def build_predictor(settings: Settings) -> Predictor:
    """Join the services that the settings describe."""
    # the threads are ours: OpenCV's own would fight them for the cores
    cv2.setNumThreads(1)
    kept = settings.storage
    storage = ForgivingStorage(open_storage(kept.url, max_bytes=kept.max_bytes, ttl_s=kept.ttl_s))
    measures = Measures()
    return Predictor(settings, storage, Pictures(settings, storage, measures), measures)
