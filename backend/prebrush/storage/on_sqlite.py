"""The default storage: two SQLite files on the local disk, shared by all processes of one machine.

Two files, because they deserve different care: the state file is small, written with every commit forced to the disk,
and worth a backup; the cache file is large, and may be deleted at any time, even while the server runs.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from prebrush.storage.port import decode_names, encode_name, seal, unseal
from prebrush.storage.sqlite_file import SqliteFile

# The number grows with every write, so it is the order of age whatever the clock does.
_CACHE_TABLE = (
    "CREATE TABLE entries (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, "
    "written_at REAL NOT NULL, size INTEGER NOT NULL, value BLOB NOT NULL)"
)
_STATE_TABLE = "CREATE TABLE projects (project BLOB PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID"
_EXPIRED_PER_PUT = 8
_EVICTED_PER_PUT = 1000
_VACUUM_PAGES = 2000


class SqliteStorage:
    """Cache and project state in two files.

    Parameters
    ----------
    state_path, cache_path : Path
        Files; made at the first use.
    max_bytes : int
        Bound on the size of the cache file. The oldest entries leave first; a value over a quarter of it is not kept.
    ttl_s : float
        Time to live of a cached value. With the clock set back, entries "from the future" live at most this long too.
    clock : callable
        Seconds since the epoch, for the time to live alone.
    """

    def __init__(
        self,
        state_path: Path,
        cache_path: Path,
        *,
        max_bytes: int,
        ttl_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._state = SqliteFile(
            state_path,
            _STATE_TABLE,
            version=1,
            durable=True,
            damaged_kept=100,
            loss="projects are known again once Label Studio next connects, or restore a backup",
        )
        self._cache = SqliteFile(
            cache_path,
            _CACHE_TABLE,
            version=1,
            durable=False,
            damaged_kept=1,
            loss="nothing is lost but the time to segment again",
        )
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._clock = clock

    @property
    def where(self) -> str:
        """The two files."""
        return f"SQLite files {self._state.path} and {self._cache.path}"

    def get(self, key: str) -> bytes | None:
        """Return a cached value; see `Storage.get`."""
        name = encode_name(key)
        row = self._cache.run(
            lambda connection: connection.execute(
                "SELECT value FROM entries WHERE key = ? AND abs(? - written_at) < ?",
                (name, self._clock(), self._ttl_s),
            ).fetchone()
        )
        return None if row is None else unseal(name, row[0])

    def put(self, key: str, value: bytes) -> None:
        """Cache a value; see `Storage.put`."""
        if len(value) > self._max_bytes // 4:
            return
        name = encode_name(key)
        sealed = seal(name, value)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM entries WHERE key = ?", (name,))
            self._make_room(connection, len(sealed))
            connection.execute(
                "INSERT INTO entries (key, written_at, size, value) VALUES (?, ?, ?, ?)",
                (name, self._clock(), len(sealed), sealed),
            )

        self._cache.run(write, write=True)

    def claim(self, key: str, token: str, seconds: float) -> bool:
        """Tell whether the caller may do the work of a key; see `Storage.claim`."""
        name = _lease_name(key)

        def write(connection: sqlite3.Connection) -> bool:
            taken = "SELECT 1 FROM entries WHERE key = ? AND abs(? - written_at) < ?"
            if connection.execute(taken, (name, self._clock(), seconds)).fetchone():
                return False
            row = (name, self._clock(), token.encode())
            connection.execute("INSERT OR REPLACE INTO entries (key, written_at, size, value) VALUES (?, ?, 0, ?)", row)
            return True

        return self._cache.run(write, write=True)

    def release(self, key: str, token: str) -> None:
        """Give up a claim; see `Storage.release`."""
        row = (_lease_name(key), token.encode())
        self._cache.run(
            lambda connection: connection.execute("DELETE FROM entries WHERE key = ? AND value = ?", row), write=True
        )

    def load_project(self, project: str) -> bytes | None:
        """Return a project's state; see `Storage.load_project`."""
        name = encode_name(project)
        row = self._state.run(
            lambda connection: connection.execute("SELECT state FROM projects WHERE project = ?", (name,)).fetchone()
        )
        return None if row is None else unseal(name, row[0])

    def save_project(self, project: str, state: bytes) -> None:
        """Replace a project's state; see `Storage.save_project`."""
        name = encode_name(project)
        row = (name, seal(name, state))
        self._state.run(
            lambda connection: connection.execute("INSERT OR REPLACE INTO projects VALUES (?, ?)", row), write=True
        )

    def list_projects(self) -> list[str]:
        """Return the projects that have state, sorted."""
        rows = self._state.run(lambda connection: connection.execute("SELECT project FROM projects").fetchall())
        return decode_names(name for (name,) in rows)

    def check(self) -> list[str]:
        """Open both files for writing; see `Storage.check`."""
        self.put("check", b"")
        self._state.run(lambda _: None, write=True)
        return []

    def close(self) -> None:
        """Close both files."""
        self._state.close()
        self._cache.close()

    def _make_room(self, connection: sqlite3.Connection, size: int) -> None:
        """Delete what has expired, then the oldest entries until ``size`` bytes fit.

        The work of one call is bounded, and about as large as the write it makes room for: the age of an entry is its
        place in the table, so nothing is searched. A file far over its bound, after the setting was lowered, shrinks
        over many writes.
        """
        connection.execute(
            "DELETE FROM entries WHERE number IN (SELECT number FROM entries ORDER BY number LIMIT ?) "
            "AND abs(? - written_at) >= ?",
            (_EXPIRED_PER_PUT, self._clock(), self._ttl_s),
        )
        page_bytes, pages, free = _measure(connection)
        # a value's last page is half empty on average, and its row and index entry need room as well
        excess = (pages - free) * page_bytes + size + 2 * page_bytes - self._max_bytes
        if excess > 0:
            last = None
            oldest = "SELECT number, size FROM entries ORDER BY number LIMIT ?"
            for number, freed in connection.execute(oldest, (_EVICTED_PER_PUT,)):
                last = number
                excess -= freed
                if excess <= 0:
                    break
            connection.execute("DELETE FROM entries WHERE number <= ?", (last,))
            page_bytes, pages, free = _measure(connection)
        if pages * page_bytes > self._max_bytes:
            # Python's module takes one step of this statement at a time, and one step gives back one page.
            for _ in range(min(free, _VACUUM_PAGES)):
                connection.execute("PRAGMA incremental_vacuum")


def _lease_name(key: str) -> bytes:
    return b"lease:" + encode_name(key)


def _measure(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return the bytes of a page, the pages in the file, and how many of them hold nothing."""
    names = ("page_size", "page_count", "freelist_count")
    page_bytes, pages, free = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
    return page_bytes, pages, free
