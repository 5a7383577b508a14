"""The projects this server is connected to, for the playground: their tasks as photos, and a place for a setting."""

import ipaddress
import logging
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from prebrush.client import Studio, StudioClient
from prebrush.errors import ImageNotFound, InvalidBody, StudioError
from prebrush.labelstudio.config import LabelConfig, parse_label_config
from prebrush.labelstudio.request import describe, parse_object
from prebrush.labelstudio.task_data import image_addresses
from prebrush.pictures import Account, Picture, build_studio, build_studio_client
from prebrush.planning import ControlPlan, Plan, build_plan
from prebrush.predictor import Predictor
from prebrush.projects import ProjectState
from prebrush.recipes import check_choice, resolve
from prebrush.settings import Settings
from prebrush.web.playground_choices import choice_in_force, choice_to_save

MOST_PROJECTS = 200
MOST_TASKS = 60
"""Of a project, its first ones: enough to see whether a setting holds."""
STUDIO_WITHIN_S = 10.0
"""Time for a list of tasks: a person waits for it."""
TITLES_WITHIN_S = 3.0
"""Time for a list of titles: without them, projects have their numbers."""
MOST_STUDIOS = 4
"""Accounts whose titles are asked for: each may keep the page waiting for them."""
TITLES_ROUTE = "/api/projects/?include=id,title&page_size=100"

log = logging.getLogger(__name__)

_Project = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class OpenTask(msgspec.Struct, forbid_unknown_fields=True):
    """Which task the page wants to see."""

    project: _Project
    task: int


class SaveChoice(msgspec.Struct, forbid_unknown_fields=True):
    """The setting to be saved for a project."""

    project: _Project
    choice: dict[str, Any]


def parse_open(body: bytes) -> OpenTask:
    """Read which task is wanted.

    Raises
    ------
    InvalidBody
        The body does not say.
    """
    try:
        return msgspec.convert(parse_object(body), OpenTask)
    except msgspec.ValidationError as error:
        raise InvalidBody(describe(str(error))) from None


def parse_save(body: bytes) -> SaveChoice:
    """Read what is to be saved.

    Raises
    ------
    InvalidBody
        The body does not say.
    """
    try:
        return msgspec.convert(parse_object(body), SaveChoice)
    except msgspec.ValidationError as error:
        raise InvalidBody(describe(str(error))) from None


def may_see_projects(settings: Settings, host: str) -> bool:
    """Tell whether the page may show what is in Label Studio, whose images and names are not everybody's.

    Behind a password always; else only to this very machine: the server listens nowhere else, and the page was opened
    under a name that no foreign site can point here.

    Parameters
    ----------
    host : str
        As the request's ``Host`` names this server.
    """
    if settings.server.basic_auth_user:
        return True
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return _is_this_machine(settings.server.host) and _is_this_machine(name.strip("[]"))


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ConnectedProjects:
    """What the playground does with projects. Safe to share between threads.

    Parameters
    ----------
    settings : Settings
    predictor : Predictor
        Knows the projects, and opens the images of their tasks as for a prediction.
    """

    def __init__(self, settings: Settings, predictor: Predictor) -> None:
        self._settings = settings
        self._predictor = predictor
        self._client: StudioClient = build_studio_client(settings)

    def names(self) -> list[dict[str, str]]:
        """List the projects whose Label Studio can be asked."""
        found = []
        for project in self._predictor.projects.names()[:MOST_PROJECTS]:
            host = self._settings.label_studio.url or self._predictor.projects.recall(project).hostname
            if host:
                found.append({"project": project, "number": project.partition(".")[0], "host": host})
        return sorted(found, key=lambda each: (each["host"], each["number"].zfill(12)))

    def titles(self) -> dict[str, str]:
        """Ask Label Studio what the projects are called; those it does not tell of are left out."""
        projects: dict[Studio, list[str]] = {}
        for each in self.names():
            studio = build_studio(self._settings, Account(self._predictor.projects.recall(each["project"])))
            projects.setdefault(studio, []).append(each["project"])
        found = {}
        for studio, names in list(projects.items())[:MOST_STUDIOS]:
            titles = self._ask_titles(studio)
            found.update({name: titles[name.partition(".")[0]] for name in names if name.partition(".")[0] in titles})
        return found

    def _ask_titles(self, studio: Studio) -> dict[str, str]:
        """Return titles by the projects' numbers; none where Label Studio does not tell them."""
        try:
            answer = self._client.get_json(TITLES_ROUTE, studio, timeout_s=TITLES_WITHIN_S)
        except StudioError as error:
            log.info("projects are shown by their numbers: %s", error)
            return {}
        listed = answer.get("results") if isinstance(answer, dict) else None
        told = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        return {str(each.get("id")): title for each in told if isinstance(title := each.get("title"), str) and title}

    def describe(self, project: str) -> dict[str, Any]:
        """Tell a project's first tasks, its tag to fill with its labels, and the setting in force.

        Raises
        ------
        InvalidBody
            The project is not known.
        StudioError
            Label Studio does not answer as it should.
        RequestError
            The project's labeling config cannot be served.
        """
        state = self._recall(project)
        plan = self._plan(project, state, state.saved).require_controls()[0]
        tasks = [{"id": task["id"], "name": _name_of(task, plan)} for task in self._list_tasks(project, state)]
        labels = [
            {"name": label.name, "predicted_values": list(label.predicted_values)} for label in plan.control.labels
        ]
        choice = choice_in_force(plan, self._settings.default)
        tag = {"kind": plan.control.tag, "name": plan.control.from_name, "toName": plan.control.to_name}
        return {"tasks": tasks, "tag": tag, "labels": labels, "choice": choice}

    def open(self, project: str, task_id: int) -> Picture:
        """Open the image of a task, under the same rules as for a prediction.

        Raises
        ------
        InvalidBody
            The project is not known.
        ImageError, StudioError
            The image cannot be had.
        RequestError
            The project's labeling config cannot be served.
        """
        state = self._recall(project)
        control = self._plan(project, state, state.saved).require_controls()[0].control
        # from the list, and not by its number: to ask for one task is to open it, and makes Label Studio predict it
        task = next((task for task in self._list_tasks(project, state) if task["id"] == task_id), None)
        if task is None:
            raise ImageNotFound(f"task {task_id} is not among the first {MOST_TASKS} of the project")
        address = image_addresses(control, task["data"])[0]
        return self._predictor.pictures.open(address, task_id, Account(state), stored=False)

    def save(self, project: str, choice: Mapping[str, Any]) -> dict[str, Any]:
        """Save a choice of method as the project's setting; an empty one takes back what was saved.

        Returns
        -------
        dict
            ``model_version``, and in ``note`` what is stronger than the setting, if anything is.

        Raises
        ------
        InvalidBody
            The project is not known.
        RequestError
            The choice does not fit.
        """
        state = self._recall(project)
        # told first: what does not fit is not added to
        self._plan(project, state, choice).require_controls()
        below = self._settings.projects.get(project.partition(".")[0], {})
        choice = choice_to_save(choice, below, self._settings.default)
        plan = self._plan(project, state, choice)
        self._predictor.projects.save_choice(project, dict(choice))
        return {"model_version": plan.model_version, "note": self._find_stronger(plan, choice)}

    def _find_stronger(self, plan: Plan, choice: Mapping[str, Any]) -> str:
        if not choice:
            return ""
        levels = [check_choice("the choice", choice), self._settings.default]
        names = []
        for each in plan.controls:
            control = each.control
            alone = resolve(levels, "the choice", control.labels, is_complete=not control.labels_key)
            if alone.fingerprint != each.recipe.fingerprint:
                names.append(control.from_name)
        if not names:
            return ""
        return (
            f"for {', '.join(names)}, attributes on the tag or the connection's extra parameters say otherwise, "
            "and they are nearer"
        )

    def _recall(self, project: str) -> ProjectState:
        if project not in self._predictor.projects.names():
            raise InvalidBody(f"no project {project[:40]!r} is connected to this server")
        return self._predictor.projects.recall(project)

    def _plan(self, project: str, state: ProjectState, saved: Mapping[str, Any]) -> Plan:
        config: LabelConfig = parse_label_config(state.label_config)
        return build_plan(config, self._settings, project, state.extra_params, saved)

    def _list_tasks(self, project: str, state: ProjectState) -> list[dict[str, Any]]:
        number = project.partition(".")[0]
        if not number.isdecimal():
            raise StudioError(f"the project's number is not known: {number[:40]!r}")
        route = f"/api/tasks?project={number}&page=1&page_size={MOST_TASKS}&fields=task_only"
        answer = self._client.get_json(route, build_studio(self._settings, Account(state)), timeout_s=STUDIO_WITHIN_S)
        tasks = answer.get("tasks") if isinstance(answer, dict) else answer
        if not isinstance(tasks, list):
            raise StudioError("Label Studio's list of tasks is not of the form that is known")
        return [task for task in tasks if isinstance(task, dict) and _is_task(task)][:MOST_TASKS]


def _is_task(task: Mapping[str, Any]) -> bool:
    return isinstance(task.get("id"), int) and isinstance(task.get("data"), dict)


def _name_of(task: Mapping[str, Any], plan: ControlPlan) -> str:
    """Name a task by its number and the end of its image's address."""
    value = task["data"].get(plan.control.data_key)
    end = value.rstrip("/").rpartition("/")[2].partition("?")[0] if isinstance(value, str) else ""
    return f"{task['id']} {'' if value is None or str(value).startswith('data:') else end[:60]}".strip()
