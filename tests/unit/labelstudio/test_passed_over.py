import doctest
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebrush.labelstudio import passed_over
from prebrush.labelstudio.passed_over import LEAST_BODY, leave_out_work
from prebrush.labelstudio.request import parse_predict

WORK = ("annotations", "drafts", "predictions")
LONG = {"result": [{"value": {"rle": list(range(256)) * 8, "text": '\\"]}[{' * 20}}]}


def without_work(body: dict[str, Any]) -> dict[str, Any]:
    """What `leave_out_work` promises, done by a JSON library."""
    tasks = body["tasks"]
    if not isinstance(tasks, list):
        return body
    return {**body, "tasks": [emptied(task) if isinstance(task, dict) else task for task in tasks]}


def emptied(task: dict[str, Any]) -> dict[str, Any]:
    def is_long(key: str) -> bool:
        return key in WORK and isinstance(task[key], list) and "rle" in str(task[key])

    return {key: [] if is_long(key) else value for key, value in task.items()}


KEYS = st.sampled_from([*WORK, "tasks", "data", "id", 'a"tasks', "\\", "annotations\\", ""])
# what is not long is far from it, however it is written
VALUES = st.recursive(
    st.none() | st.integers(0, 99) | st.text(max_size=3) | KEYS | st.just(LONG),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.dictionaries(KEYS, VALUES, max_size=5) | VALUES, max_size=4) | VALUES,
    st.dictionaries(KEYS, VALUES, max_size=3),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_the_long_lists_of_tasks_are_left_out_and_nothing_else(tasks, around, indent, has_ascii_only):
    body = {**around, "padding": "[" * LEAST_BODY, "tasks": tasks}
    text = json.dumps(body, indent=indent, ensure_ascii=has_ascii_only, separators=None if indent else (",", ":"))
    left = leave_out_work(text.encode("utf-8", "surrogatepass"))
    assert json.loads(left.decode("utf-8", "surrogatepass")) == without_work(body)


def test_a_large_body_is_read_as_a_small_one():
    task = {"id": 3, "data": {"image": "x", "annotations": [LONG]}, "annotations": [LONG] * 200, "drafts": [LONG]}
    body = {
        "tasks": [task, task],
        "project": "1.2",
        "label_config": "<View/>",
        "params": {"context": {"result": [LONG]}},
    }
    found = parse_predict(json.dumps(body).encode())
    assert [task.data for task in found.tasks] == [task["data"]] * 2
    assert found.context == {"result": [LONG]}
    thin = leave_out_work(json.dumps(body).encode())
    assert len(thin) < LEAST_BODY < len(json.dumps(body))


@pytest.mark.parametrize("end", ["", "]", "]}", "]}]", ']}]"', "]" * 9, "[" * 100_000])
def test_what_is_no_json_comes_back_whole(end):
    body = ('{"tasks": [{"annotations": [' + "1," * LEAST_BODY + "1" + end).encode()
    assert leave_out_work(body) == body


def test_an_escape_at_the_very_end():
    body = b'{"tasks": [{"annotations": [' + b"1," * LEAST_BODY + b'"\\'
    assert leave_out_work(body) == body


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(passed_over)
    assert result.attempted
    assert result.failed == 0
