"""Exactly one prediction a task, whatever happens to requests and answers."""

from collections.abc import Iterator

import pytest

from prebrush.batch.chunks import Chunk
from prebrush.batch.journal import FileJournal
from prebrush.batch.studio import StudioProject, open_project
from prebrush.batch.uploading import SETTLE_S, Uploader
from prebrush.errors import StudioAway
from prebrush.settings import load_settings
from studio_stub import StudioStub

CHUNK = Chunk(11, 40)
TASKS = list(range(11, 41, 2))


def entry(version: str = "v") -> bytes:
    return b'{"result":[],"model_version":"%s"}' % version.encode()


@pytest.fixture
def project(stub: StudioStub) -> Iterator[StudioProject]:
    project = open_project(load_settings(environ=stub.environment()), 7)
    yield project
    project.close()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def uploader(project, tmp_path, slept) -> Uploader:
    return Uploader(project, "v", FileJournal(tmp_path / "uploading.json"), slept.append)


def everything() -> dict[int, bytes]:
    return dict.fromkeys(TASKS, entry())


def assert_once(stub: StudioStub) -> None:
    counts = stub.count_by_task()
    assert [counts[task] for task in TASKS] == [1] * len(TASKS)


def test_predictions_arrive_as_they_are(stub, uploader):
    task = TASKS[0]
    body = b'{"result":[{"id":"a","value":{"rle":[1,2]}}],"score":0.25,"model_version":"v"}'
    assert uploader.upload(CHUNK, {task: body}) == []
    (stored,) = stub.predictions
    assert stored == {
        "id": 1,
        "task": task,
        "result": [{"id": "a", "value": {"rle": [1, 2]}}],
        "score": 0.25,
        "model_version": "v",
    }


def test_a_lost_request_is_sent_again(stub, uploader, slept):
    answers = iter([False, True])
    stub.before_upload = lambda _: next(answers)
    assert uploader.upload(CHUNK, everything()) == []
    assert_once(stub)
    # nobody could know that it had not arrived: it was waited for
    assert sum(slept) >= SETTLE_S


def test_a_lost_answer_is_noticed(stub, uploader):
    answers = iter([False])
    stub.after_upload = lambda _: next(answers)
    assert uploader.upload(CHUNK, everything()) == []
    assert_once(stub)


def test_an_upload_that_arrives_while_it_is_waited_for_is_not_sent_again(stub, project, tmp_path):
    late = []

    def drop(tasks: list[int]) -> bool:
        late.extend({"task": task, "model_version": "v", "result": []} for task in tasks)
        return False

    def sleep(_: float) -> None:
        if len(slept) == 5:
            stub.store(late)
        slept.append(1)

    slept: list[int] = []
    stub.before_upload = drop
    assert Uploader(project, "v", FileJournal(tmp_path / "j"), sleep).upload(CHUNK, everything()) == []
    assert_once(stub)
    assert len(slept) < SETTLE_S


def test_an_upload_that_arrives_much_later_leaves_no_double(stub, uploader):
    late = []

    def drop_first(tasks: list[int]) -> bool:
        if late:
            return True
        late.extend({"task": task, "model_version": "v", "result": []} for task in tasks)
        return False

    stub.before_upload = drop_first
    uploader.upload(CHUNK, everything())
    stub.store(late)
    assert stub.count_by_task()[TASKS[0]] == 2
    assert uploader.remove_doubles() == len(TASKS)
    assert_once(stub)


def test_what_another_run_has_uploaded_meanwhile_is_not_uploaded_again(stub, uploader):
    stub.store([{"task": task, "model_version": "v", "result": []} for task in TASKS[:5]])
    stub.store([{"task": task, "model_version": "older", "result": []} for task in TASKS[5:7]])
    assert uploader.upload(CHUNK, everything()) == []
    assert {tuple(stub.versions_of(task)) for task in TASKS[:5]} == {("v",)}
    assert {tuple(stub.versions_of(task)) for task in TASKS[5:7]} == {("older", "v")}
    assert {tuple(stub.versions_of(task)) for task in TASKS[7:]} == {("v",)}


def test_where_another_run_has_uploaded_all_nothing_is_sent(stub, uploader):
    stub.store([{"task": task, "model_version": "v", "result": []} for task in TASKS])
    stub.before_upload = lambda _: pytest.fail("something was uploaded")
    assert uploader.upload(CHUNK, everything()) == []


def test_a_killed_runs_upload_is_waited_for(stub, project, tmp_path):
    FileJournal(tmp_path / "uploading.json").begin(CHUNK.key, TASKS)
    slept = []

    def sleep(_: float) -> None:
        slept.append(1)
        if len(slept) == 3:
            stub.store([{"task": task, "model_version": "v", "result": []} for task in TASKS])

    journal = FileJournal(tmp_path / "uploading.json")
    uploader = Uploader(project, "v", journal, sleep)
    uploader.settle_all()
    assert len(slept) == 3
    assert journal.pending() == {}
    assert project.missing(CHUNK, "v") == set()


def test_a_task_deleted_meanwhile_costs_only_itself(stub, uploader):
    gone = TASKS[4]
    del stub.tasks[gone]
    assert uploader.upload(CHUNK, everything()) == [(gone, "the task was deleted meanwhile")]
    counts = stub.count_by_task()
    assert {counts[task] for task in TASKS if task != gone} == {1}


def test_what_label_studio_refuses_is_found_among_the_others(stub, uploader, project, monkeypatch):
    whole = StudioProject.upload
    bad = TASKS[7]

    def refuse(self, entries):
        if bad in entries:
            from prebrush.errors import StudioError

            raise StudioError("Label Studio answers 400 (uploading predictions): no")
        return whole(self, entries)

    monkeypatch.setattr(StudioProject, "upload", refuse)
    ((task, reason),) = uploader.upload(CHUNK, everything())
    assert task == bad
    assert "400" in reason
    counts = stub.count_by_task()
    assert {counts[task] for task in TASKS if task != bad} == {1}


def test_what_label_studio_drops_unsaid_is_told(stub, uploader, monkeypatch):
    dropped = TASKS[2]
    store = StudioStub.store
    monkeypatch.setattr(
        StudioStub, "store", lambda self, entries: store(self, [each for each in entries if each["task"] != dropped])
    )
    monkeypatch.setattr(StudioProject, "upload", _count_stored(StudioProject.upload, stub))
    ((task, reason),) = uploader.upload(CHUNK, everything())
    assert task == dropped
    assert "log" in reason


def _count_stored(upload, stub):
    def counted(self, entries):
        before = len(stub.predictions)
        upload(self, entries)
        return len(stub.predictions) - before

    return counted


def test_a_label_studio_that_stays_away_ends_the_run_and_the_journal_knows(stub, uploader, tmp_path):
    stub.before_upload = lambda _: False
    with pytest.raises(StudioAway):
        uploader.upload(CHUNK, everything())
    assert FileJournal(tmp_path / "uploading.json").pending()[CHUNK.key].tasks == tuple(TASKS)
