"""What is special to SQLite, beyond the suite."""

import contextlib
import logging
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from prebrush.errors import StorageError
from prebrush.storage import open_storage, sqlite_file
from prebrush.storage.on_sqlite import SqliteStorage
from storage_suite import GENEROUS_BYTES, LONG_S, StorageSuite

MEGABYTE = 1 << 20


@contextlib.contextmanager
def raw(path: Path):
    """A connection of the sqlite3 module, past all of our code."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


class TestSuite(StorageSuite):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/data"

    def write_raw(self, url, key, stored):
        with raw(Path(url.removeprefix("sqlite:///"), "cache.db")) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO entries (key, written_at, size, value) VALUES (?, unixepoch(), ?, ?)",
                (key.encode(), len(stored), stored),
            )

    def read_raw(self, url, key):
        with raw(Path(url.removeprefix("sqlite:///"), "cache.db")) as connection:
            return connection.execute("SELECT value FROM entries WHERE key = ?", (key.encode(),)).fetchone()[0]

    def write_raw_project(self, url, project, stored):
        with raw(Path(url.removeprefix("sqlite:///"), "state.db")) as connection:
            connection.execute("UPDATE projects SET state = ? WHERE project = ?", (stored, project.encode()))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "deep" / "data"


@pytest.fixture
def storage(folder):
    storage = open_storage(str(folder), max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
    yield storage
    storage.close()


@pytest.fixture
def hasty(monkeypatch):
    """Give up on locks sooner, to keep the tests short."""
    monkeypatch.setattr(sqlite_file, "_BUSY_S", 0.1)


def bytes_on_disk(folder: Path) -> int:
    return (folder / "cache.db").stat().st_size


def test_nobody_else_may_read_the_files(storage, folder):
    storage.put("a", b"1")
    storage.save_project("a", b"token")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} >= {"state.db", "state.db-wal", "cache.db", "cache.db-wal"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_losing_the_cache_loses_no_project(storage, folder):
    storage.put("a", b"1")
    storage.save_project("a", b"state")
    storage.close()
    for path in folder.glob("cache.db*"):
        path.unlink()
    assert storage.get("a") is None
    assert storage.load_project("a") == b"state"


class TestBound:
    @pytest.fixture
    def storage(self, folder):
        storage = open_storage(str(folder), max_bytes=2 * MEGABYTE, ttl_s=LONG_S)
        yield storage
        storage.close()

    @pytest.mark.parametrize("size", [100, 5_000, 300_000])
    def test_the_file_stays_within_its_bound_and_the_newest_stay(self, storage, folder, size):
        count = 3 * MEGABYTE // size
        for number in range(count):
            storage.put(str(number), bytes([number % 251]) * size)
            if number % 100 == 0:
                assert bytes_on_disk(folder) <= 2 * MEGABYTE
        assert bytes_on_disk(folder) <= 2 * MEGABYTE
        kept = [storage.get(str(number)) is not None for number in range(count)]
        assert kept == sorted(kept), "an older entry outlived a newer one"
        assert 0 < sum(kept) < count
        assert sum(kept) * (size + 100) > MEGABYTE, "more was evicted than the bound asks for"
        assert storage.get(str(count - 1)) == bytes([(count - 1) % 251]) * size

    def test_an_entry_written_again_is_young_again(self, storage):
        storage.put("first", b"1" * 100_000)
        for number in range(15):
            storage.put(str(number), bytes(100_000))
        storage.put("first", b"2" * 100_000)
        for number in range(15, 25):
            storage.put(str(number), bytes(100_000))
        assert storage.get("first") == b"2" * 100_000
        assert storage.get("0") is None

    def test_a_value_that_would_drive_out_the_rest_is_not_kept(self, storage):
        storage.put("a", b"1")
        storage.put("b", bytes(MEGABYTE))
        assert (storage.get("a"), storage.get("b")) == (b"1", None)

    def test_a_lowered_bound_is_reached_in_time(self, storage, folder):
        big = open_storage(str(folder), max_bytes=16 * MEGABYTE, ttl_s=LONG_S)
        for number in range(120):
            big.put(str(number), os.urandom(100_000))
        big.close()
        assert bytes_on_disk(folder) > 10 * MEGABYTE
        for number in range(10):
            storage.put(f"after {number}", b"1")
        storage.close()  # which copies the log into the file
        assert bytes_on_disk(folder) <= 2 * MEGABYTE
        assert storage.get("119") is not None


def test_expired_entries_leave_the_file(folder):
    now = 1e9
    storage = SqliteStorage(folder / "state.db", folder / "cache.db", max_bytes=MEGABYTE, ttl_s=10, clock=lambda: now)
    for number in range(20):
        storage.put(str(number), b"1")
    now += 11
    for number in range(5):
        storage.put(f"new {number}", b"1")
    with raw(folder / "cache.db") as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (5,)
    storage.close()


def test_a_clock_set_back_does_not_make_entries_immortal(folder):
    now = 1e9
    storage = SqliteStorage(folder / "state.db", folder / "cache.db", max_bytes=MEGABYTE, ttl_s=10, clock=lambda: now)
    storage.put("a", b"1")
    now -= 5
    assert storage.get("a") == b"1"
    now -= 1e6
    assert storage.get("a") is None
    storage.put("a", b"2")
    assert storage.get("a") == b"2"
    storage.close()


class TestDamage:
    @pytest.fixture(params=["cache", "state"])
    def kind(self, request):
        return request.param

    @staticmethod
    def write(storage, kind, value):
        storage.put("a", value) if kind == "cache" else storage.save_project("a", value)

    @staticmethod
    def read(storage, kind):
        return storage.get("a") if kind == "cache" else storage.load_project("a")

    @pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
    @pytest.mark.parametrize("damage", ["garbage", "cut", "holes"])
    def test_a_damaged_file_is_set_aside_with_one_warning(self, storage, folder, kind, damage, running, caplog):
        path = folder / f"{kind}.db"
        self.write(storage, kind, bytes(300_000))
        with raw(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if not running:
            storage.close()
        whole = path.read_bytes()
        if damage == "garbage":
            path.write_bytes(b"no database at all " * 5000)
        elif damage == "cut":
            os.truncate(path, len(whole) // 2)
        else:
            path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
        broken = path.read_bytes()
        caplog.set_level(logging.INFO)
        # a file damaged behind SQLite's back may first be read from its cache
        assert self.read(storage, kind) in (None, bytes(300_000))
        storage.close()
        assert self.read(storage, kind) is None
        self.write(storage, kind, b"anew")
        assert self.read(storage, kind) == b"anew"
        assert len(caplog.records) == 1
        assert f"set aside as {kind}.db.corrupt-1" in caplog.text
        assert (folder / f"{kind}.db.corrupt-1").read_bytes()[: len(broken)] == broken

    def test_an_emptied_file_is_used_again(self, storage, folder, kind):
        self.write(storage, kind, b"before")
        os.truncate(folder / f"{kind}.db", 0)
        self.write(storage, kind, b"after")
        assert self.read(storage, kind) == b"after"
        storage.close()
        assert self.read(storage, kind) == b"after"

    @pytest.mark.parametrize("which", ["file", "all files", "folder"])
    def test_a_file_deleted_while_running_is_made_again(self, storage, folder, kind, which):
        self.write(storage, kind, b"before")
        if which == "file":
            (folder / f"{kind}.db").unlink()
        elif which == "all files":
            for path in folder.glob(f"{kind}.db*"):
                path.unlink()
        else:
            shutil.rmtree(folder)
        assert self.read(storage, kind) is None
        self.write(storage, kind, b"after")
        storage.close()
        assert self.read(storage, kind) == b"after"

    def test_state_saved_into_a_file_that_is_being_deleted_is_saved_again(self, storage, folder, monkeypatch):
        storage.save_project("a", b"before")
        attempt = sqlite_file.SqliteFile._attempt

        def delete_meanwhile(self, work, *, write):
            monkeypatch.undo()
            result = attempt(self, work, write=write)
            self.path.unlink()
            self._open()[0].close()
            return result

        monkeypatch.setattr(sqlite_file.SqliteFile, "_attempt", delete_meanwhile)
        storage.save_project("a", b"after")
        assert storage.load_project("a") == b"after"

    def test_deleting_again_and_again_under_load_gives_no_wrong_value(self, storage, folder):
        others = [open_storage(str(folder), max_bytes=GENEROUS_BYTES, ttl_s=LONG_S) for _ in range(2)]
        problems = []
        stop = threading.Event()

        def work(one, name):
            try:
                while not stop.is_set():
                    # an error is possible where the file is gone again on the second try
                    with contextlib.suppress(StorageError):
                        one.put(name, name.encode() * 20_000)
                        value = one.get(name)
                        if value not in (None, name.encode() * 20_000):
                            problems.append(value)
            except Exception as error:  # noqa: BLE001  whatever it is fails the test
                problems.append(error)

        pairs = [(storage, "a"), (storage, "b"), (others[0], "c"), (others[1], "d")]
        threads = [threading.Thread(target=work, args=pair) for pair in pairs]
        for thread in threads:
            thread.start()
        for _ in range(30):
            (folder / "cache.db").unlink(missing_ok=True)
            stop.wait(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        for one in others:
            one.close()
        assert problems == []
        storage.put("a", b"1")
        with raw(folder / "cache.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_two_servers_set_a_damaged_file_aside_once(self, storage, folder):
        other = open_storage(str(folder), max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
        for one in (storage, other):
            one.put("a", b"1")
            one.close()
        (folder / "cache.db").write_bytes(b"garbage" * 1000)
        threads = [threading.Thread(target=one.put, args=("a", b"2")) for one in (storage, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert storage.get("a") == other.get("a") == b"2"
        assert len(list(folder.glob("cache.db.corrupt-*"))) == 1
        other.close()

    def test_a_file_that_another_server_has_made_anew_is_not_set_aside(self, storage, folder):
        storage.put("a", b"1")
        damaged = storage._cache._identify()
        storage.close()
        (folder / "cache.db").rename(folder / "cache.db.corrupt-1")
        storage.put("a", b"2")
        storage._cache._set_aside(damaged, sqlite3.DatabaseError("noticed late"))
        assert storage.get("a") == b"2"
        assert len(list(folder.glob("*corrupt*"))) == 1

    def test_a_new_file_shares_no_index_with_a_deleted_one(self, storage, folder):
        """Whoever still has the deleted one open would have the memory it reads cut off under it."""
        storage.put("a", b"1")
        with (folder / "cache.db-shm").open("rb") as still_open:
            (folder / "cache.db").unlink()
            storage.put("a", b"2")
            assert os.fstat(still_open.fileno()).st_ino != (folder / "cache.db-shm").stat().st_ino

    def test_damaged_copies_do_not_pile_up(self, storage, folder):
        for number in range(4):
            (folder / "cache.db").parent.mkdir(parents=True, exist_ok=True)
            (folder / "cache.db").write_bytes(b"garbage %d" % number * 1000)
            assert storage.get("a") is None
            storage.close()
        assert [path.name for path in folder.glob("*corrupt*")] == ["cache.db.corrupt-1"]
        assert (folder / "cache.db.corrupt-1").read_bytes().startswith(b"garbage 3")


def test_the_database_of_another_program_is_left_alone(storage, folder):
    folder.mkdir(parents=True)
    with raw(folder / "state.db") as connection:
        connection.execute("CREATE TABLE task (id)")
    before = (folder / "state.db").read_bytes()
    with pytest.raises(StorageError, match="another program"):
        storage.save_project("a", b"state")
    assert (folder / "state.db").read_bytes() == before


def test_a_file_of_a_later_version_is_refused(storage, folder):
    storage.save_project("a", b"state")
    storage.close()
    with raw(folder / "state.db") as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(StorageError, match="format 2"):
        storage.load_project("a")


class TestLocked:
    def test_writers_fail_readers_do_not_and_all_is_well_afterwards(self, storage, folder, hasty, monkeypatch):
        monkeypatch.setattr(sqlite_file, "_PAUSE_S", 0.05)
        storage.save_project("a", b"state")
        storage = open_storage(str(folder), max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)  # with the shorter times
        with raw(folder / "state.db") as connection:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                with pytest.raises(StorageError, match="locked by another process"):
                    storage.save_project("a", b"new")
                assert storage.load_project("a") == b"state"
            connection.execute("ROLLBACK")
        threading.Event().wait(0.1)
        storage.save_project("a", b"new")
        assert storage.load_project("a") == b"new"
        storage.close()

    def test_only_the_first_writer_waits(self, storage, folder, hasty):
        storage.put("a", b"1")
        storage.close()
        with raw(folder / "cache.db") as connection:
            connection.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError) as first:
                storage.put("a", b"2")
            with pytest.raises(StorageError, match="not tried again yet") as second:
                storage.put("a", b"2")
        assert isinstance(first.value.__cause__, sqlite3.OperationalError)
        assert second.value.__cause__ is None

    def test_a_process_that_hangs_while_opening_blocks_nobody_for_long(self, storage, folder, hasty):
        fcntl = pytest.importorskip("fcntl")
        storage.put("a", b"1")
        storage.close()
        with (folder / "cache.db.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(StorageError, match="locked by another process"):
                storage.get("a")


@pytest.mark.parametrize("write", [True, False])
def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path, write):
    (tmp_path / "file").touch()
    storage = open_storage(str(tmp_path / "file" / "data"), max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
    with pytest.raises(StorageError, match=r"Not a directory|File exists"):
        storage.save_project("a", b"1") if write else storage.get("a")


@pytest.fixture
def full_disk():
    """Let no file of this process grow beyond 200 KB until the test ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_writes_and_loses_nothing(storage, folder, full_disk):
    storage.put("a", b"before")
    storage.save_project("a", b"before")
    full_disk()
    with pytest.raises(StorageError):
        storage.put("a", os.urandom(MEGABYTE))
    with pytest.raises(StorageError):
        storage.save_project("a", os.urandom(MEGABYTE))
    assert (storage.get("a"), storage.load_project("a")) == (b"before", b"before")
    assert not list(folder.glob("*corrupt*"))


READ_ONLY = """
import os, sys
from prebrush.errors import StorageError
from prebrush.storage import open_storage
os.setuid(65534)
storage = open_storage(sys.argv[1], max_bytes=1 << 20, ttl_s=60)
for call in (lambda: storage.get("a"), lambda: storage.put("a", b"1"), lambda: storage.save_project("a", b"1")):
    try:
        call()
    except StorageError as error:
        print(type(error.__cause__).__name__)
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become a user without permission")
def test_files_of_another_user_are_a_storage_error(storage, folder):
    storage.put("a", b"1")
    storage.save_project("a", b"1")
    done = subprocess.run([sys.executable, "-c", READ_ONLY, folder], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["PermissionError"] * 3


FORK = """
import os, sys, threading
from prebrush.storage import open_storage
storage = open_storage(sys.argv[1], max_bytes=1 << 20, ttl_s=60)
storage.put("parent", b"1")
child = os.fork()
if not child:
    assert not storage._cache._idle
    storage.put("child", b"2")
    os._exit(0 if storage.get("parent") == b"1" else 1)
assert os.waitpid(child, 0)[1] == 0
assert storage.get("child") == b"2"
storage.put("parent", b"3")
storage.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_opens_its_own_connections(folder):
    subprocess.run([sys.executable, "-c", FORK, folder], check=True)
    with raw(folder / "cache.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
