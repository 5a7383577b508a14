import logging
import threading

import pytest

from prebrush.errors import StorageError
from prebrush.storage import ForgivingStorage
from redis_servers import wait_until

LOGGER = "prebrush.storage.forgiving"


class FakeStorage:
    """A storage in memory that can be away, wholly or for some calls."""

    where = "memory"

    def __init__(self):
        self.cache = {}
        self.projects = {}
        self.away = set()
        self.closed = False
        self.saved = threading.Event()

    def _need(self, kind):
        if kind in self.away or "all" in self.away:
            raise StorageError(f"{kind} does not work")

    def get(self, key):
        self._need("get")
        return self.cache.get(key)

    def put(self, key, value):
        self._need("put")
        self.cache[key] = value

    def load_project(self, project):
        self._need("load")
        return self.projects.get(project)

    def save_project(self, project, state):
        self._need("save")
        self.projects[project] = state
        self.saved.set()

    def list_projects(self):
        self._need("list")
        return sorted(self.projects)

    def check(self):
        self._need("check")
        return ["advice"]

    def close(self):
        self.closed = True


@pytest.fixture
def inner():
    return FakeStorage()


@pytest.fixture
def storage(inner):
    storage = ForgivingStorage(inner, retry_s=0.01, calm_s=0)
    yield storage
    inner.away.clear()
    storage.close()


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records if record.name == LOGGER]


def test_a_working_storage_shines_through(storage, inner, log):
    storage.put("a", b"1")
    storage.save_project("p", b"2")
    assert (storage.get("a"), storage.get("b"), storage.load_project("p"), storage.load_project("q")) == (
        b"1",
        None,
        b"2",
        None,
    )
    assert (inner.cache, inner.projects, storage.list_projects()) == ({"a": b"1"}, {"p": b"2"}, ["p"])
    assert (storage.where, storage.away, storage.held, storage.check(), log()) == ("memory", False, 0, ["advice"], [])


def test_without_a_storage_reads_miss_and_one_warning_is_logged(storage, inner, log):
    inner.cache["a"] = b"1"
    inner.away.add("all")
    for _ in range(3):
        assert storage.get("a") is None
        storage.put("a", b"2")
        assert storage.load_project("p") is None
        assert storage.list_projects() == []
    assert storage.away
    assert [level for level, _ in log()] == ["WARNING"]
    assert "get does not work" in log()[0][1]
    inner.away.clear()
    for _ in range(3):
        assert storage.get("a") == b"1"
        storage.put("b", b"2")
        storage.load_project("p")
        storage.list_projects()
    assert not storage.away
    assert [level for level, _ in log()] == ["WARNING", "INFO"]


def test_a_storage_that_only_reads_does_not_flood_the_log(inner, log):
    storage = ForgivingStorage(inner, calm_s=1000)
    inner.away.add("put")
    for _ in range(5):
        storage.put("a", b"1")
        storage.get("a")
    assert storage.away
    assert [level for level, _ in log()] == ["WARNING"]


def test_state_is_held_while_the_storage_is_away_and_written_by_itself(storage, inner, log):
    inner.away.add("all")
    storage.save_project("p", b"old")
    storage.save_project("p", b"new")
    storage.save_project("q", b"other")
    assert (storage.load_project("p"), storage.list_projects(), storage.held) == (b"new", ["p", "q"], 2)
    inner.saved.clear()
    inner.away.clear()
    assert inner.saved.wait(10)
    with storage._saving:  # the writer is done with its round
        assert inner.projects == {"p": b"new", "q": b"other"}
    assert storage.held == 0
    assert [level for level, _ in log()].count("WARNING") == 2


def test_known_state_is_given_while_the_storage_is_away(storage, inner):
    inner.projects["p"] = b"stored"
    assert storage.load_project("p") == b"stored"
    inner.away.add("all")
    assert storage.load_project("p") == b"stored"
    assert storage.load_project("q") is None


def test_another_servers_newer_state_is_seen(storage, inner):
    storage.save_project("p", b"ours")
    inner.projects["p"] = b"theirs"
    assert storage.load_project("p") == b"theirs"


def test_a_storage_that_came_back_empty_is_filled_again(storage, inner, log):
    for project in ("o", "p", "q"):
        storage.save_project(project, b"state")
    inner.projects.clear()
    inner.projects["q"] = b"newer, of another server"
    assert storage.load_project("p") == b"state"
    wait_until(lambda: storage.held == 0)
    assert inner.projects == {"o": b"state", "p": b"state", "q": b"newer, of another server"}
    assert "no longer has project state" in log()[0][1]


def test_a_load_that_a_save_overtook_does_not_bring_the_old_state_back(storage, inner):
    inner.projects["p"] = b"old"
    load = inner.load_project

    def slow_load(project):
        state = load(project)
        inner.load_project = load
        storage.save_project("p", b"new")
        return state

    inner.load_project = slow_load
    assert storage.load_project("p") == b"new"
    inner.away.add("all")
    assert storage.load_project("p") == b"new"


def test_close_writes_what_is_held(inner, log):
    storage = ForgivingStorage(inner, retry_s=1000)
    inner.away.add("save")
    storage.save_project("p", b"state")
    inner.away.clear()
    storage.close()
    assert inner.projects == {"p": b"state"}
    assert inner.closed


def test_close_says_what_is_lost(inner, log):
    storage = ForgivingStorage(inner, retry_s=0.01)
    inner.away.add("all")
    storage.save_project("p", b"state")
    storage.close()
    assert log()[-1] == ("ERROR", "memory is still away: the latest state of 1 project(s) is lost")


def test_check_alone_is_not_forgiven(storage, inner):
    inner.away.add("check")
    with pytest.raises(StorageError, match="check does not work"):
        storage.check()


def test_a_defect_is_not_forgiven(storage, inner):
    inner.cache = None
    with pytest.raises(AttributeError):
        storage.get("a")


def test_what_is_remembered_is_bounded_and_the_last_stays(monkeypatch, inner):
    monkeypatch.setattr("prebrush.storage.forgiving.KNOWN_BYTES", 10_000)
    storage = ForgivingStorage(inner, retry_s=0.01, calm_s=0)
    for number in range(100):
        storage.save_project(f"p{number:02}", b"x" * 500)
    assert storage.list_projects() == sorted(inner.projects)
    inner.away.add("all")
    assert storage.list_projects() == [f"p{number}" for number in range(90, 100)]
    assert (storage.load_project("p99"), storage.load_project("p00")) == (b"x" * 500, None)
    inner.away.clear()
    assert storage.load_project("p00") == b"x" * 500
    storage.close()


def test_what_waits_to_be_written_is_bounded_and_what_is_lost_is_told(monkeypatch, inner, log):
    monkeypatch.setattr("prebrush.storage.forgiving.HELD_BYTES", 10_000)
    storage = ForgivingStorage(inner, retry_s=1000, calm_s=0)
    inner.away.add("all")
    for number in range(12):
        storage.save_project(f"p{number:02}", b"x" * 500)
    assert storage.held == 10
    assert [said for level, said in log() if level == "ERROR"] == [
        f"too much project state waits to be written; that of project {project} is lost" for project in ("p00", "p01")
    ]
    inner.away.clear()
    storage.close()
    assert sorted(inner.projects) == [f"p{number:02}" for number in range(2, 12)]
