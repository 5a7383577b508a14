"""Bodies of requests to `Task` and the like. Marks a person made become a `Prompt` in ``prompts.py``.

Only what a prediction needs is decoded; the megabytes of masks that Label Studio sends along are passed over.
Of two keys with one name in an object the last counts, as with every JSON library Label Studio uses.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from prebrush.datatypes import Task
from prebrush.errors import InvalidBody
from prebrush.labelstudio.bounds import MOST_PARTS, Counted, refuse_many_parts, room_for
from prebrush.labelstudio.passed_over import Body, leave_out_work

MOST_REFERENCES = 100_000
"""Tasks and annotations that one event may name."""
MOST_MARKED = 5_000_000
"""Values in what a person marked, or in one region, the bytes of brush strokes among them."""
MAX_TASKS = 10_000
"""Most tasks in one request; Label Studio sends all selected ones at once."""

_Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | str
_T = TypeVar("_T")


class _Task(Counted):
    data: msgspec.Raw
    id: _Id | None = None


class _Params(msgspec.Struct):
    login: str | None = None
    password: str | None = None
    context: msgspec.Raw = msgspec.Raw(b"null")


class _Predict(msgspec.Struct):
    tasks: list[_Task]
    project: int | str | None = None
    label_config: str | None = None
    params: _Params | None = None


class _Setup(msgspec.Struct):
    project: int | str | None = None
    schema: str | None = None
    hostname: str | None = None
    access_token: str | None = None
    extra_params: Any = None


class _Reference(Counted):
    id: _Id | None = None
    task: _Id | None = None


class _Project(msgspec.Struct):
    id: int | str | None = None
    created_at: str | None = None


class _Webhook(msgspec.Struct):
    action: str
    project: _Project | int | str | None = None
    task: _Reference | list[_Reference] | None = None
    tasks: list[_Reference] | None = None
    annotation: _Reference | list[_Reference] | None = None
    annotations: list[_Reference] | None = None


READ_OF_TASKS = (*_Task.__struct_fields__, "drafts", "annotations")
"""Of a task, whoever hands on a request may leave out all but these."""

_predict_decoder = msgspec.json.Decoder(_Predict)
_setup_decoder = msgspec.json.Decoder(_Setup)
_webhook_decoder = msgspec.json.Decoder(_Webhook)
_object_decoder = msgspec.json.Decoder(dict[str, Any])
_context_decoder = msgspec.json.Decoder(dict[str, Any] | None)


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """The body of ``/predict``.

    Attributes
    ----------
    tasks : tuple of Task
        A task without an id is called ``tasks[n]`` after its place.
    project : str
        ``<id>.<unix time of creation>``; the id alone or empty from other callers.
    label_config : str
        XML; empty if the caller sent none.
    login, password : str
        Credentials for the images' host; empty if none.
    context : mapping or None
        What ``prompts.build_prompt`` reads, for a smart tool's request; None for a batch.
    body : Body
        All of it with a context, else empty: ``drawn.find_touched`` reads what is on the image already.
    """

    tasks: tuple[Task, ...]
    project: str = ""
    label_config: str = ""
    login: str = ""
    password: str = field(default="", repr=False)
    context: Mapping[str, Any] | None = None
    body: Body = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """The body of ``/setup``; texts are empty where the caller sent none.

    Attributes
    ----------
    project : str
        As in `PredictRequest`.
    label_config : str
        XML.
    hostname : str
        Label Studio's address as it sees itself.
    access_token : str
        The legacy token of the project's creator.
    extra_params : mapping or None
        The connection's own parameters; None if it has none.
    """

    project: str = ""
    label_config: str = ""
    hostname: str = ""
    access_token: str = field(default="", repr=False)
    extra_params: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """The body of ``/webhook``.

    Attributes
    ----------
    action : str
        ``ANNOTATION_CREATED``, ``START_TRAINING`` ...; actions nobody knows yet are passed on.
    project : str
        Written as ``/setup`` and ``/predict`` write it, made from the project's id and time of creation.
    task_ids : tuple of int or str
        The tasks that the event is about, in order, each once.
    """

    action: str
    project: str = ""
    task_ids: tuple[int | str, ...] = ()


def parse_predict(body: Body, max_tasks: int = MAX_TASKS) -> PredictRequest:
    """Read the body of ``/predict`` of Label Studio 1.x and its connectors.

    Raises
    ------
    InvalidBody
        It is not JSON, a field has a wrong type (the message names it), or there are more than ``max_tasks`` tasks.

    Notes
    -----
    Cost: about 0.1 ms a megabyte of what is stored with the tasks, which is not decoded, and 1 ms of all else.
    """
    with room_for(max_tasks, f"tasks: more than {max_tasks} in one request, at most {max_tasks} are taken"):
        found = _decode(_predict_decoder, leave_out_work(body))
    params = found.params or _Params()
    refuse_many_parts(params.context, "params.context", MOST_MARKED)
    context = _decode(_context_decoder, params.context, "params.context")
    return PredictRequest(
        tasks=tuple(_read_tasks(found.tasks)),
        project=_as_text(found.project),
        label_config=found.label_config or "",
        login=params.login or "",
        password=params.password or "",
        context=context or None,
        body=body if context else b"",
    )


def parse_setup(body: bytes) -> SetupRequest:
    """Read the body of ``/setup``.

    Raises
    ------
    InvalidBody
        It is not JSON, or a field has a wrong type. Not for ``extra_params``: a setup must be answered whatever a
        person typed there; see `read_extra_params`.
    """
    refuse_many_parts(body, "the request body")
    found = _decode(_setup_decoder, body)
    return SetupRequest(
        project=_as_text(found.project),
        label_config=found.schema or "",
        hostname=found.hostname or "",
        access_token=found.access_token or "",
        extra_params=read_extra_params(found.extra_params),
    )


def read_extra_params(value: object) -> dict[str, Any] | None:
    """Read the connection's extra parameters, an object or the text of one; None where nothing was written there.

    Whatever else a person typed is handed on under an empty name, for the plan to refuse.
    """
    if isinstance(value, str):
        with suppress(msgspec.DecodeError):
            value = msgspec.json.decode(value.strip() or "null")
    return value if value is None or isinstance(value, dict) else {"": value}


def parse_webhook(body: bytes) -> WebhookEvent:
    """Read the body of ``/webhook``, of any event.

    Raises
    ------
    InvalidBody
        It is not JSON, has no ``action``, or a field that is read has a wrong type.
    """
    with room_for(MOST_REFERENCES, f"the event names over {MOST_REFERENCES} tasks and annotations"):
        found = _decode(_webhook_decoder, body)
    project = found.project if isinstance(found.project, _Project) else _Project(id=found.project)
    annotations = [*_as_list(found.annotation), *_as_list(found.annotations)]
    tasks = [reference.id for reference in [*_as_list(found.task), *_as_list(found.tasks)]]
    tasks += [reference.task for reference in annotations]
    return WebhookEvent(
        action=found.action,
        project=_project_key(project),
        task_ids=tuple(dict.fromkeys(task for task in tasks if task is not None)),
    )


def parse_object(body: bytes) -> dict[str, Any]:
    """Read any small JSON object; an empty body is an empty one.

    Raises
    ------
    InvalidBody
        It is not a JSON object.
    """
    refuse_many_parts(body, "the request body")
    return _decode(_object_decoder, body) if body.strip() else {}


def _read_tasks(tasks: list[_Task]) -> Iterator[Task]:
    """Decode the tasks' data, which hold so many values all together."""
    left = MOST_PARTS * 2
    for place, task in enumerate(tasks):
        where = f"tasks[{place}]"
        left -= refuse_many_parts(task.data, f"{where}.data")
        if left < 0:
            raise InvalidBody(f"tasks: their data hold over {MOST_PARTS * 2} values")
        data = _decode(_object_decoder, task.data, f"{where}.data")
        yield Task(where if task.id is None else task.id, data)


def _decode(decoder: msgspec.json.Decoder[_T], body: Body | msgspec.Raw, prefix: str = "") -> _T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidBody(describe(str(error), prefix)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        details = {RecursionError: "nested too deep", UnicodeDecodeError: "not JSON: it is not UTF-8"}
        reason = details.get(type(error), f"not JSON: {error}")
        raise InvalidBody(f"{prefix or 'the request body'} is {reason}") from error


_FAULT = re.compile(r"(?P<what>.*?)(?: - at `(?P<where>.*)`)?", re.DOTALL)
_REQUIRED = re.compile(r"Object missing required field `(?P<name>.*)`")


def describe(fault: str, prefix: str = "") -> str:
    """Word what the decoder found the way the project words errors: where, what was expected, what was there.

    Examples
    --------
    >>> describe("Expected `object`, got `array` - at `$.tasks[3].data`")
    'tasks[3].data: expected object, got array'
    """
    found = _FAULT.fullmatch(fault)
    what, where = (found["what"], found["where"] or "$") if found else (fault, "$")
    where = prefix + where.removeprefix("$")
    missing = _REQUIRED.fullmatch(what)
    if missing:
        return f"{where.lstrip('.')}.{missing['name']}: missing".lstrip(".")
    what = what.replace("`", "").replace(" | ", " or ")
    return f"{where.lstrip('.') or 'the request body'}: {what[:1].lower()}{what[1:]}"


def _project_key(project: _Project) -> str:
    """Make ``<id>.<unix time of creation>`` of a project object."""
    if project.id is None or not project.created_at:
        return _as_text(project.id)
    try:
        created = datetime.fromisoformat(project.created_at)
        return f"{project.id}.{int(created.timestamp())}"
    except (ValueError, OverflowError):
        return _as_text(project.id)


def _as_text(value: int | str | None) -> str:
    return "" if value is None else str(value)


def _as_list(value: _Reference | list[_Reference] | None) -> list[_Reference]:
    return [] if value is None else value if isinstance(value, list) else [value]
