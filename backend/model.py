"""prebrush as a model of the ``label-studio-ml`` tool; ``_wsgi.py`` beside it starts the tool's server with it.

It fits both lines of the tool: 1.0.9 of the package index and 2.x of its repository. Their server is another than ours
and pins another Flask, so nothing of ``prebrush.web`` is imported here.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from label_studio_ml.model import LabelStudioMLBase

from prebrush.labelstudio.request import READ_OF_TASKS, parse_predict, parse_setup
from prebrush.predictor import Predictor, build_predictor
from prebrush.settings import load_settings

ONLY_PROJECT = "label-studio-ml"
"""Stands for the project where the tool does not tell which one it is about."""


@cache
def shared_predictor() -> Predictor:
    """Return the process's one predictor: models come and go with requests, what it knows and has cached stays."""
    return build_predictor(load_settings())


class SegmentationModel(LabelStudioMLBase):  # type: ignore[misc]  # the tool is not typed
    """One project's model, made anew for each request.

    Parameters
    ----------
    project_id : str
        The project's number in the 2.x line; ``_wsgi.py`` hands in what Label Studio calls it under 1.0.9.
    label_config : str
        XML.
    **told : str
        What 1.0.9 knows besides: ``hostname``, ``access_token``, and more that is not read.
    """

    def __init__(self, project_id: str | None = None, label_config: str | None = None, **told: Any) -> None:
        self._project = str(project_id or ONLY_PROJECT)
        self._label_config = label_config or ""
        if is_second_line():
            # this calls setup()
            super().__init__(project_id, label_config)
        else:
            # without the config: the tool's own reading of it would refuse what prebrush has an answer for
            super().__init__(**told)

    def setup(self) -> None:
        """Take what is known of the project and set the model version, as the 2.x line asks of every new model."""
        self.set("model_version", self.remember(extra_params=self.get("extra_params")))

    def set_extra_params(self, extra_params: Mapping[str, Any] | str) -> None:
        """Keep the connection's extra parameters; they may change the version.

        Label Studio 1.23 sends an object, which the 2.x line's store of texts does not take.
        """
        super().set_extra_params(extra_params if isinstance(extra_params, str) else json.dumps(extra_params))
        self.setup()

    def remember(self, **told: object) -> str:
        """Keep what Label Studio told of the project, and return the model version that it comes to.

        Parameters
        ----------
        **told : object
            ``hostname``, ``access_token``, ``extra_params`` as ``/setup`` has them.
        """
        body = {"project": self._project, "schema": self._label_config, **told}
        return shared_predictor().set_up(parse_setup(json.dumps(body).encode())).model_version

    def predict(
        self, tasks: list[dict[str, Any]], context: Mapping[str, Any] | None = None, **params: Any
    ) -> list[Any]:
        """Predict tasks, or answer the clicks and boxes in a context; see `answer`."""
        return self.answer(tasks, context, **params)[0]

    def answer(
        self, tasks: list[dict[str, Any]], context: Mapping[str, Any] | None = None, **params: Any
    ) -> tuple[list[Any], str]:
        """Predict tasks, and tell the model version.

        Parameters
        ----------
        tasks : list of dict
            As Label Studio sends them; what is stored with them is not looked at.
        context : mapping or None
            ``result`` with the marks.
        **params : str
            ``login`` and ``password`` for the images' host.

        Returns
        -------
        results : list
            For each task ``{"result": [...], "score": ..., "model_version": ...}``, or ``[]`` where it failed.
        model_version : str
        """
        predictor = shared_predictor()
        body = {
            "tasks": [shorten(task) for task in tasks],
            "project": self._project,
            "label_config": self._label_config,
            "params": {"login": params.get("login"), "password": params.get("password"), "context": context},
        }
        # by way of JSON, so that one place checks and words what may be wrong with a request
        request = parse_predict(json.dumps(body).encode(), max_tasks=predictor.settings.server.max_tasks)
        entries, model_version = predictor.answer(request)
        return [msgspec.json.decode(entry) for entry in entries], model_version

    def fit(self, *_event: object, **_data: object) -> dict[str, Any]:
        """Do nothing: classical methods have nothing to train. Both lines call this, with arguments of their own."""
        return {}


def is_second_line() -> bool:
    """Tell whether the tool is of the 2.x line, whose models set themselves up."""
    return hasattr(LabelStudioMLBase, "setup")


def shorten(task: object) -> object:
    """Leave out what is stored with a task and not read: it can be megabytes of masks."""
    return {key: task[key] for key in READ_OF_TASKS if key in task} if isinstance(task, dict) else task
