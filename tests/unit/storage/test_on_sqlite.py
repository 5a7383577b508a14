"""What is special to SQLite, beyond the suite: permissions, bounds, age."""

import os
import stat
from pathlib import Path

import pytest

from prebrush.storage import open_storage
from prebrush.storage.on_sqlite import SqliteStorage
from raw_sqlite import raw
from storage_suite import LONG_S, StorageSuite

MEGABYTE = 1 << 20


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
