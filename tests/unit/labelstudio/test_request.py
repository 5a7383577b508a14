import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebrush.datatypes import Task
from prebrush.errors import InvalidBody
from prebrush.labelstudio.request import parse_predict, parse_setup, parse_webhook

RECORDED = sorted((Path(__file__).parents[2] / "recorded").glob("*.json"))
PARSERS = {"/predict": parse_predict, "/setup": parse_setup, "/webhook": parse_webhook}


def body_of(message: dict) -> bytes:
    return json.dumps(message["request"]["body"]).encode()


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_every_recorded_body_is_read(path: Path) -> None:
    message = json.loads(path.read_text())
    if message["request"].get("body") is None:
        assert message["request"]["path"] in ("/health", "/versions")
        return
    found = PARSERS[message["request"]["path"]](body_of(message))
    assert found.project.split(".")[0] in ("1", "2", "3", "4")


def test_a_batch(recorded) -> None:
    found = parse_predict(body_of(recorded("predict_batch")))
    assert [task.id for task in found.tasks] == [1, 2, 3]
    assert found.tasks[1].data == {"image": "/data/upload/1/2a026eb0-exif6.jpg"}
    assert found.project == "1.1795382444"
    assert found.label_config.startswith("<View>")
    assert (found.login, found.password, found.context) == ("", "", None)


def test_a_smart_tool(recorded) -> None:
    found = parse_predict(body_of(recorded("predict_interactive_rectangle")))
    assert [mark["id"] for mark in found.context["result"]] == ["IwLDGwmFMO"]


def test_what_is_stored_may_be_malformed_numbers_nobody_decodes() -> None:
    found = parse_predict(b'{"tasks": [{"data": {}, "annotations": [1e999], "predictions": {"x": [[1]]}}]}')
    assert found.tasks == (Task("tasks[0]", {}),)


def test_the_body_is_not_kept_alive() -> None:
    body = json.dumps({"tasks": [{"data": {"image": "a"}, "annotations": [{"result": []}], "drafts": []}]}).encode()
    before = sys.getrefcount(body)
    found = parse_predict(body)
    assert sys.getrefcount(body) == before
    assert found.tasks == (Task("tasks[0]", {"image": "a"}),)


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"params": None},
        {"params": {}},
        {"params": {"context": None}},
        {"params": {"context": {}, "login": "", "password": ""}},
        {"force_reload": False, "try_fetch": True, "model_version": None, "params": {"smart": 1}},
    ],
)
def test_older_connectors(extra: dict) -> None:
    found = parse_predict(json.dumps({"tasks": [{"id": "7", "data": {"image": "a"}}], "project": 3, **extra}).encode())
    assert found.tasks == (Task("7", {"image": "a"}),)
    assert (found.project, found.label_config, found.context) == ("3", "", None)


def test_an_empty_context_is_a_smart_tool_with_nothing_marked(recorded) -> None:
    assert parse_predict(body_of(recorded("predict_interactive_empty"))).context == {"result": []}


def test_a_task_without_id_is_named_by_its_place() -> None:
    assert [task.id for task in parse_predict(b'{"tasks": [{"data": {}}, {"data": {}, "id": null}]}').tasks] == [
        "tasks[0]",
        "tasks[1]",
    ]


WRONG = {
    '{"tasks": [{"data": {}}, {"data": []}]}': r"^tasks\[1\]\.data: expected object, got array$",
    '{"tasks": [{"id": 1}]}': r"^tasks\[0\]\.data: missing$",
    '{"tasks": [{"data": {}, "id": 1.5}]}': r"^tasks\[0\]\.id: expected int or str or null, got float$",
    '{"tasks": [{"data": {}, "id": 99999999999999999999}]}': r"^tasks\[0\]\.id: ",
    '{"tasks": {}}': "^tasks: expected array, got object$",
    "{}": "^tasks: missing$",
    "[]": "^the request body: expected object, got array$",
    '{"tasks": [], "params": {"context": 3}}': r"^params\.context: expected object or null, got int$",
    '{"tasks": [], "project": {}}': "^project: expected int or str or null, got object$",
    '{"tasks": [], "label_config": 5}': "^label_config: expected str or null, got int$",
    '{"tasks": [{"data": {"a": NaN}}]}': "^the request body is not JSON",
    '{"tasks": [], "a": Infinity}': "^the request body is not JSON",
    '{"tasks": [{"data": {"a": 1e999}}]}': r"^tasks\[0\]\.data\[...\]: number out of range$",
    '{"tasks": []} x': "^the request body is not JSON",
    "": "^the request body is not JSON",
    '{"tasks": ' + "[" * 100_000: "^tasks",
    '{"tasks": [], "a": ' + "[" * 100_000: "^the request body is nested too deep$",
    '{"tasks": [{"data": {}, "drafts": ' + "[" * 9999 + "]" * 9999 + "}]}": "^the request body is nested too deep$",
}


@pytest.mark.parametrize(("body", "message"), WRONG.items(), ids=range(len(WRONG)))
def test_nonsense_is_refused_by_name(body: str, message: str) -> None:
    with pytest.raises(InvalidBody, match=message):
        parse_predict(body.encode())


def test_text_that_is_not_utf8() -> None:
    with pytest.raises(InvalidBody, match="not UTF-8"):
        parse_predict(b'{"tasks": [{"data": {"image": "\xff"}}]}')


def test_the_number_of_tasks_is_bounded() -> None:
    body = json.dumps({"tasks": [{"data": {}}] * 3}).encode()
    assert len(parse_predict(body, max_tasks=3).tasks) == 3
    with pytest.raises(InvalidBody, match="more than 2 in one request, at most 2"):
        parse_predict(body, max_tasks=2)


def test_secrets_stay_out_of_what_is_printed() -> None:
    found = parse_predict(b'{"tasks": [], "params": {"login": "me", "password": "geheim"}}')
    assert found.password == "geheim"
    setup = parse_setup(b'{"access_token": "geheim"}')
    assert setup.access_token == "geheim"
    assert "geheim" not in repr(found) + repr(setup)


def test_setup(recorded) -> None:
    found = parse_setup(body_of(recorded("setup")))
    assert (found.project, found.hostname, found.access_token) == (
        "1.1795382444",
        "http://localhost:8080",
        "LEGACY_TOKEN",
    )
    assert found.label_config.startswith("<View>")
    assert found.extra_params == {"method": "grabcut"}


@pytest.mark.parametrize(
    ("sent", "understood"),
    [("null", None), ('""', None), ('"null"', None), ("{}", {}), ('"{}"', {}), ('"{\\"a\\": 1}"', {"a": 1})],
)
def test_extra_parameters(sent: str, understood: dict | None) -> None:
    assert parse_setup(f'{{"extra_params": {sent}}}'.encode()).extra_params == understood


@pytest.mark.parametrize("sent", ["[]", "5", '"[]"', '"{"', '"5"'])
def test_extra_parameters_that_are_no_object_are_left_to_the_plan(sent: str) -> None:
    setup = parse_setup(b'{"extra_params": ' + sent.encode() + b"}")
    assert setup.extra_params is not None
    assert list(setup.extra_params) == [""]


def test_setup_of_older_connectors_may_say_next_to_nothing() -> None:
    found = parse_setup(b'{"project": null, "schema": null, "force_reload": false}')
    assert (found.project, found.label_config, found.hostname, found.extra_params) == ("", "", "", None)


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("webhook_annotation_created", (1,)),
        ("webhook_annotation_deleted", ()),
        ("webhook_annotations_created_bulk", (3,)),
        ("webhook_tasks_created", (3,)),
        ("webhook_tasks_deleted", (3,)),
        ("start_training", ()),
    ],
)
def test_webhook(recorded, name: str, tasks: tuple) -> None:
    message = recorded(name)
    found = parse_webhook(body_of(message))
    assert found.action == message["request"]["body"]["action"]
    assert found.task_ids == tasks


def test_a_webhook_names_its_project_as_setup_does(recorded) -> None:
    event = parse_webhook(body_of(recorded("webhook_project_updated")))
    setup = parse_setup(body_of(recorded("setup")))
    assert event.project == setup.project


@pytest.mark.parametrize(
    ("project", "name"),
    [('{"id": 4}', "4"), ('{"id": 4, "created_at": "soon"}', "4"), ("4", "4"), ('"4"', "4"), ('"4.17"', "4.17")],
)
def test_a_webhook_with_less_about_the_project(project: str, name: str) -> None:
    assert parse_webhook(f'{{"action": "X", "project": {project}}}'.encode()).project == name


def test_a_webhook_without_action() -> None:
    with pytest.raises(InvalidBody, match=r"^action: missing$"):
        parse_webhook(b"{}")


KEYS = st.sampled_from(
    ["tasks", "project", "params", "context", "data", "id", "result", "extra_params", "action", "task"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, JSON), st.sampled_from(list(PARSERS.values())))
def test_any_object_is_read_or_refused(value: dict, parse) -> None:
    with suppress(InvalidBody):
        assert isinstance(parse(json.dumps(value).encode()).project, str)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(list(PARSERS.values())))
def test_any_bytes_are_refused_or_read(body: bytes, parse) -> None:
    with suppress(InvalidBody):
        assert isinstance(parse(body).project, str)
