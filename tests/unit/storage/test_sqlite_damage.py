"""SQLite files that are damaged, deleted, or somebody else's."""

import contextlib
import logging
import os
import shutil
import sqlite3
import threading

import pytest

from prebrush.errors import StorageError
from prebrush.storage import open_storage, sqlite_file
from raw_sqlite import raw
from storage_suite import GENEROUS_BYTES, LONG_S


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
