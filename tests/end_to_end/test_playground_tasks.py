"""The playground and a real Label Studio: its tasks as photos, without a word of it in Label Studio."""

import json
from typing import Any
from urllib.request import Request, urlopen

from end_to_end.connected import Connected


def ask(connected: Connected, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{connected.prebrush.url}/playground/{path}", data), timeout=60) as answer:
        return json.load(answer)


def test_tasks_of_a_connected_project_open_and_nothing_is_predicted_for_it(connected: Connected) -> None:
    (project,) = [
        each["project"] for each in ask(connected, "projects")["projects"] if each["number"] == str(connected.project)
    ]
    assert ask(connected, "titles")["titles"][project]
    asked_before = sum("POST /predict" in line for line in connected.prebrush.log_lines())

    told = ask(connected, f"project?project={project}")

    assert [task["id"] for task in told["tasks"]] == sorted(connected.tasks.values())
    assert [label["name"] for label in told["labels"]] == ["Object"]
    # one as it was taken, one that the browser turns upright
    for name in ("scene.png", "turned.jpg"):
        truth = connected.pictures[name].truth
        assert truth is not None
        opened = ask(connected, "task", {"project": project, "task": connected.tasks[name]})
        assert (opened["height"], opened["width"]) == truth.shape
    assert sum("POST /predict" in line for line in connected.prebrush.log_lines()) == asked_before
