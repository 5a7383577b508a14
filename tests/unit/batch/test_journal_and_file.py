"""What survives the death of a process: uploads under way, and the file that grows."""

import json
import os

import pytest

from prebrush.batch.journal import FileJournal
from prebrush.batch.tasks_file import TasksFile
from prebrush.datatypes import Task
from prebrush.errors import PrebrushError


def test_what_was_begun_is_known_to_the_next_process(tmp_path):
    now = 1000.0
    journal = FileJournal(tmp_path / "j" / "uploading.json", lambda: now)
    journal.begin("1-50", [3, 4])
    journal.begin("51-99", [60])
    journal.end("51-99")
    now = 1007.0
    (begun,) = FileJournal(tmp_path / "j" / "uploading.json", lambda: now).pending().values()
    assert (begun.tasks, begun.age_s) == ((3, 4), 7.0)
    now = 10.0
    assert FileJournal(tmp_path / "j" / "uploading.json", lambda: now).pending()["1-50"].age_s == 0.0
    journal.end("1-50")
    assert not (tmp_path / "j" / "uploading.json").exists()


@pytest.mark.parametrize("content", ["{", "[1]", '{"1-2": 3}', '{"1-2": ["x", [1]]}'])
def test_a_damaged_journal_is_named(tmp_path, content):
    (tmp_path / "uploading.json").write_text(content)
    with pytest.raises(PrebrushError, match=r"uploading\.json"):
        FileJournal(tmp_path / "uploading.json")


def test_a_file_goes_on_after_any_end(tmp_path):
    path = tmp_path / "new" / "tasks.json"
    with TasksFile(path, "run 1") as file:
        file.add(Task("a.png", {"image": "/a"}), b'{"result":[],"score":0.5}')
    part = path.with_name("tasks.json.part")
    whole = part.read_bytes()
    # killed in the middle of a line
    part.write_bytes(whole + b'{"id": "b.png", "da')
    with TasksFile(path, "run 1") as file:
        assert file.done == {"a.png"}
        file.add(Task("b.png", {"image": "/b"}), b'{"result":[]}')
        file.finish()
    assert json.loads(path.read_text()) == [
        {"id": "a.png", "data": {"image": "/a"}, "predictions": [{"result": [], "score": 0.5}]},
        {"id": "b.png", "data": {"image": "/b"}, "predictions": [{"result": []}]},
    ]
    assert not part.exists()


def test_a_file_cut_anywhere_ends_whole(tmp_path):
    path = tmp_path / "tasks.json"
    with TasksFile(path, "run") as file:
        for number in range(3):
            file.add(Task(number, {}), b'{"result":[]}')
    part = path.with_name("tasks.json.part")
    whole = part.read_bytes()
    for end in range(len(whole)):
        part.write_bytes(whole[:end])
        with TasksFile(path, "run") as file:
            for number in {0, 1, 2} - file.done:
                file.add(Task(number, {}), b'{"result":[]}')
            file.finish()
        assert sorted(task["id"] for task in json.loads(path.read_text())) == [0, 1, 2]


def test_the_part_of_another_run_is_refused(tmp_path):
    with TasksFile(tmp_path / "tasks.json", "run 1"):
        pass
    with pytest.raises(PrebrushError, match="another run"):
        TasksFile(tmp_path / "tasks.json", "run 2")
    (tmp_path / "empty.json.part").touch()
    with TasksFile(tmp_path / "empty.json", "run 2") as file:
        file.finish()
    assert json.loads((tmp_path / "empty.json").read_text()) == []


def test_what_failed_is_added_by_the_next_run(tmp_path):
    path = tmp_path / "tasks.json"
    with TasksFile(path, "run 1") as file:
        file.add(Task("a.png", {}), b'{"result":[]}')
        file.finish(keep_part=True)
    assert [task["id"] for task in json.loads(path.read_text())] == ["a.png"]
    with TasksFile(path, "run 1") as file:
        assert file.done == {"a.png"}
        file.add(Task("b.png", {}), b'{"result":[]}')
        file.finish()
    assert [task["id"] for task in json.loads(path.read_text())] == ["a.png", "b.png"]
    assert not (tmp_path / "tasks.json.part").exists()


def test_a_kept_part_is_in_nobodys_way(tmp_path):
    path = tmp_path / "tasks.json"
    with TasksFile(path, "run 1") as file:
        file.add(Task("a.png", {}), b'{"result":[]}')
        file.finish(keep_part=True)
    with TasksFile(path, "run 2") as file:
        assert file.done == set()
        file.add(Task("c.png", {}), b'{"result":[]}')
    # stopped: now the part holds what the file does not
    os.utime(path, (0, 0))
    with pytest.raises(PrebrushError, match="another run"):
        TasksFile(path, "run 1")


def test_two_runs_do_not_write_one_file(tmp_path):
    with (
        TasksFile(tmp_path / "tasks.json", "run"),
        pytest.raises(PrebrushError, match="another prebrush is at work on"),
    ):
        TasksFile(tmp_path / "tasks.json", "run")
    with TasksFile(tmp_path / "tasks.json", "run"):
        pass
