"""SQLite files that are locked, on a full disk, of another user, or inherited over a fork."""

import os
import resource
import sqlite3
import subprocess
import sys
import threading

import pytest

from prebrush.errors import StorageError
from prebrush.storage import open_storage, sqlite_file
from raw_sqlite import raw
from storage_suite import GENEROUS_BYTES, LONG_S

MEGABYTE = 1 << 20


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
