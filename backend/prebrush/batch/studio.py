"""A project of Label Studio through its official SDK: what is to be done, what is done, and uploading."""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from prebrush.batch.chunks import Chunk, Span
from prebrush.datatypes import Task
from prebrush.errors import ConfigError, StudioAway, StudioError, Unanswered
from prebrush.labelstudio.request import read_extra_params
from prebrush.settings import Settings

try:
    import httpx
    from label_studio_sdk import LabelStudio
    from label_studio_sdk.core.api_error import ApiError
    from label_studio_sdk.core.request_options import RequestOptions
except ImportError as missing:
    raise ConfigError(
        "this needs Label Studio's SDK: pip install 'prebrush[prelabel]'; in a clone: "
        ".venv/bin/pip install -c constraints.txt -e '.[prelabel]'"
    ) from missing

logger = logging.getLogger(__name__)

ANSWER_WITHIN_S = 100.0
"""Label Studio may take this long for one request, such as an upload of many masks."""
PAGE = 100
"""Tasks in one answer; a chunk has fewer unless its ids are crowded. The first hundred is cheap for Label Studio."""
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that asking again may mend."""
UNANSWERED = frozenset({408, 502, 504})
"""Statuses of those between us and Label Studio: the request may be under way there all the same."""
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Between asking again: two minutes, in which Label Studio can be started anew."""
_ONCE: RequestOptions = {"max_retries": 0}
"""The SDK would send again by itself, and so upload twice what arrived."""


class StudioProject:
    """One project. Safe to share between threads."""

    def __init__(self, client: LabelStudio, http: httpx.Client, number: int) -> None:
        self._client = client
        self._http = http
        self.number = number
        with _translated(f"project {number}"):
            found = client.projects.get(number, request_options=_ONCE)
        self.title = found.title or ""
        self.label_config = found.label_config or ""
        self.key = f"{number}.{int(found.created_at.timestamp())}" if found.created_at else str(number)
        """The name that Label Studio gives the project in /setup and /predict."""

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def extra_params(self) -> Mapping[str, Any]:
        """Return the extra parameters of the project's only connection; empty where there are several, or none."""
        with _translated(f"connections of project {self.number}"):
            found = self._client.ml.list(project=self.number, request_options=_ONCE)
        return read_extra_params(found[0].extra_params if len(found) == 1 else None) or {}

    def span(self) -> Span:
        """Find out where the project's tasks lie."""
        lowest, total = self._list([], page_size=1)
        highest, _ = self._list([], page_size=1, ordering="-tasks:id")
        return Span(lowest[0].id, highest[0].id, total) if lowest and highest else Span(0, 0, 0)

    def count(self, version: str, *, only_missing: bool) -> int:
        """Count the tasks that are to be predicted."""
        return self._list(_wanted(version, only_missing), page_size=1)[1]

    def tasks(self, chunk: Chunk, version: str, *, only_missing: bool) -> Iterator[Task]:
        """Go through the tasks of a chunk that are to be predicted, by id.

        Parameters
        ----------
        version : str
            Tasks with a prediction of this model version are done; empty takes all.
        only_missing : bool
            Leave out tasks that have any prediction or annotation.

        Raises
        ------
        StudioError
            Label Studio does not answer as it should.
        """
        return self._tasks(chunk, _wanted(version, only_missing))

    def existing(self, chunk: Chunk) -> set[int]:
        """Return the ids of a chunk's tasks, whatever they have."""
        return {int(task.id) for task in self.tasks(chunk, "", only_missing=False)}

    def missing(self, chunk: Chunk, version: str) -> set[int]:
        """Return the ids of a chunk's tasks without a prediction of the version."""
        return {int(task.id) for task in self.tasks(chunk, version, only_missing=False)}

    def predicted(self, chunk: Chunk, version: str) -> set[int]:
        """Return the ids of a chunk's tasks with a prediction of the version."""
        return {int(task.id) for task in self._tasks(chunk, [_of_version("contains", version)])}

    def upload(self, entries: Mapping[int, bytes]) -> int:
        """Store one encoded prediction for each task, all or, where Label Studio finds a fault, fewer.

        Returns
        -------
        int
            How many it took.

        Raises
        ------
        StudioAway
            It does not answer; what was sent may have arrived all the same.
        StudioError
            It refuses, and has stored nothing.
        """
        body = b"[" + b",".join(b'{"task":%d,' % task + entry[1:] for task, entry in entries.items()) + b"]"
        # the SDK's own call would take the masks apart, number by number
        wrapper = self._client._client_wrapper
        with _translated("uploading predictions"):
            answer = wrapper.httpx_client.request(
                f"api/projects/{self.number}/import/predictions",
                base_url=wrapper.get_base_url(),
                method="POST",
                content=body,
                headers={"content-type": "application/json"},
                request_options={**_ONCE, "timeout_in_seconds": int(ANSWER_WITHIN_S)},
            )
            if not answer.is_success:
                raise ApiError(status_code=answer.status_code, body=_json_or_text(answer))
            return int(answer.json()["created"])

    def remove_doubles(self, task: int, version: str) -> int:
        """Of several predictions of one version, which are equal, keep the first; return how many went."""
        with _translated(f"predictions of task {task}"):
            found = self._client.predictions.list(task=task, request_options=_ONCE)
            ours = sorted(each.id for each in found if each.model_version == version and each.id is not None)
            for each in ours[1:]:
                self._client.predictions.delete(each, request_options=_ONCE)
        return len(ours[1:])

    def _tasks(self, chunk: Chunk, filters: Sequence[Mapping[str, Any]]) -> Iterator[Task]:
        first = chunk.first
        while first <= chunk.last:
            found, _ = self._list([_within(first, chunk.last), *filters], page_size=PAGE)
            for task in found:
                yield Task(task.id, task.data if isinstance(task.data, dict) else {})
            if len(found) < PAGE:
                return
            # by id and not by page: what is uploaded meanwhile leaves the list
            first = found[-1].id + 1

    def _list(
        self, filters: Sequence[Mapping[str, Any]], *, page_size: int, ordering: str = "tasks:id"
    ) -> tuple[list[Any], int]:
        """Ask the data manager for the first tasks that pass all filters, and how many there are."""
        query = {"filters": {"conjunction": "and", "items": list(filters)}, "ordering": [ordering]}
        for pause_s in (*PAUSES_S, None):
            try:
                return self._ask_list(json.dumps(query), page_size)
            except StudioAway as error:
                if pause_s is None:
                    raise
                logger.warning("%s; asked again in %.0f s", error, pause_s)
                time.sleep(pause_s)
        raise AssertionError("the last try ends the loop")

    def _ask_list(self, query: str, page_size: int) -> tuple[list[Any], int]:
        with _translated(f"tasks of project {self.number}"):
            pager: Any = self._client.tasks.list(
                project=self.number,
                page=1,
                page_size=page_size,
                fields="task_only",
                resolve_uri=False,
                query=query,
                request_options=_ONCE,
            )
            return list(pager.items or []), int(getattr(pager.response, "total", 0) or 0)


def open_project(settings: Settings, number: int) -> StudioProject:
    """Connect to the Label Studio of the settings.

    Raises
    ------
    ConfigError
        Its address or key is not set.
    StudioError
        It does not answer, or has no such project.
    """
    told = settings.label_studio
    if not told.url:
        raise ConfigError("where is Label Studio? Give --url, or set LABEL_STUDIO_URL")
    if not told.api_key:
        raise ConfigError(
            "Label Studio asks for a key: set LABEL_STUDIO_API_KEY to a personal access token (your picture, top right "
            "> Account & Settings > Personal Access Token)"
        )
    with _translated("the key"):
        connect: Any = LabelStudio  # its constructor has no types
        http = httpx.Client(timeout=ANSWER_WITHIN_S, follow_redirects=True)
        client = connect(base_url=told.url.rstrip("/"), api_key=told.api_key.strip(), httpx_client=http)
    try:
        return StudioProject(client, http, number)
    except BaseException:
        http.close()
        raise


def _within(first: int, last: int) -> dict[str, Any]:
    return _filter("id", "in", "Number", {"min": first, "max": last})


def _wanted(version: str, only_missing: bool) -> list[dict[str, Any]]:
    if only_missing:
        return [_filter(f"total_{each}", "equal", "Number", 0) for each in ("predictions", "annotations")]
    return [_of_version("not_contains", version)] if version else []


def _of_version(operator: str, version: str) -> dict[str, Any]:
    # the filter goes through a list of texts; given a text, it would go through its letters
    return _filter("predictions_model_versions", operator, "List", [version])


def _filter(column: str, operator: str, kind: str, value: object) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn the SDK's errors into ours; no message holds a token or a body of our own."""
    try:
        yield
    except ApiError as error:
        _refuse(what, error)
    except httpx.HTTPError as error:
        # where no connection came about, nothing was sent
        kind = StudioAway if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else Unanswered
        raise kind(f"Label Studio does not answer ({what}): {type(error).__name__}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudioError(f"Label Studio answers strangely ({what}); is LABEL_STUDIO_URL right?") from error


def _refuse(what: str, error: ApiError) -> NoReturn:
    status, said = error.status_code, _said(error.body)
    if status in PASSING:
        kind = Unanswered if status in UNANSWERED else StudioAway
        raise kind(f"Label Studio answers {status} ({what}){said}") from error
    if status in {401, 403}:
        raise StudioError(
            f"Label Studio refuses the key ({what}: {status}){said.rstrip('.')}; make a personal access token, as a "
            "member of the project, and copy it whole"
        ) from error
    if status == 404:
        raise StudioError(
            f"Label Studio knows no {what} (404): check the number, that the key is of a member, and LABEL_STUDIO_URL"
        ) from error
    raise StudioError(f"Label Studio answers {status} ({what}){said}") from error


def _said(body: object) -> str:
    """Return what the answer says of the error, cut short: it may repeat what we sent."""
    if isinstance(body, dict):
        body = body.get("validation_errors") or body.get("detail") or ""
        body = body.get("non_field_errors", body) if isinstance(body, dict) else body
    if isinstance(body, list) and body:
        body = body[0]
    text = " ".join(str(body or "").split())
    return f": {text[:160]}" if text and "<" not in text[:20] else ""


def _json_or_text(answer: httpx.Response) -> object:
    try:
        return answer.json()
    except ValueError:
        return answer.text[:1000]
