"""One SQLite file that several threads and processes share, and that may be locked, damaged or deleted at any time."""

import contextlib
import logging
import os
import sqlite3
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias, TypeVar

from prebrush.errors import StorageError
from prebrush.storage.breaker import Breaker

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")
_Identity: TypeAlias = tuple[int, int] | None

_LOG = logging.getLogger(__name__)
_APPLICATION_ID = 0x70726562  # "preb": how a file of ours is told from another program's database
_BUSY_S = 2.0
_PAUSE_S = 3.0
_IDLE_CONNECTIONS = 8
_WAL_BYTES = 16 << 20
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

# Connections inherited over a fork may be neither used nor closed in the child, so nothing may collect them there:
# https://www.sqlite.org/howtocorrupt.html, section 2.6
_inherited: list[object] = []


class SqliteFile:
    """A database file, opened at its first use and again whenever the file at its path is another one.

    Parameters
    ----------
    path : Path
        Made with mode 0600 where it is missing, its folder with 0700.
    schema : str
        The statement that makes the table of a new file.
    version : int
        Version of the schema; a file with another one is refused.
    durable : bool
        Whether a commit must survive the loss of power.
    damaged_kept : int
        How many damaged copies may lie beside the file; past it the last one is overwritten.
    loss : str
        What it means to lose the file, for the warning when a damaged one is set aside.
    """

    def __init__(self, path: Path, schema: str, *, version: int, durable: bool, damaged_kept: int, loss: str) -> None:
        self.path = path
        self._schema = schema
        self._version = version
        self._durable = durable
        self._damaged_kept = damaged_kept
        self._loss = loss
        self._lock = threading.Lock()
        self._idle: list[tuple[sqlite3.Connection, _Identity]] = []
        # Python 3.13 warns of connections that are collected open
        weakref.finalize(self, _close_all, self._idle)
        # Apart, because what keeps writers waiting does not concern readers in WAL mode.
        self._breakers = {write: Breaker(_PAUSE_S) for write in (False, True)}
        if hasattr(os, "register_at_fork"):
            ours = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _forget_connections(ours()))

    def run(self, work: Callable[[sqlite3.Connection], T], *, write: bool = False) -> T:
        """Call ``work`` with a connection; with ``write``, in a transaction of its own.

        ``work`` is called a second time where the file turns out to be damaged, deleted or emptied; a damaged file is
        set aside first.

        Raises
        ------
        StorageError
            The file stays locked, cannot be read or written, or belongs to another program.
        """
        self._breakers[write].check()
        identity = None
        try:
            identity = self._identify()
            result = self._attempt(work, write=write)
            # what was written into a file that is no longer at its path is as good as lost
            if not write or self._identify() == identity or identity is None:
                self._breakers[write].answered()
                return result
        except sqlite3.Error as error:
            code = _code_of(error)
            if code in _DAMAGE:
                self._set_aside(identity, error)
            elif code in _BUSY:
                raise self._failure(error, write=write) from error
        except OSError as error:
            raise self._failure(error, write=write) from error
        self.close()
        try:
            result = self._attempt(work, write=write)
        except (sqlite3.Error, OSError) as error:
            raise self._failure(error, write=write) from error
        self._breakers[write].answered()
        return result

    def close(self) -> None:
        """Close the connections nobody is using."""
        with self._lock:
            _close_all(self._idle)

    def _attempt(self, work: Callable[[sqlite3.Connection], T], *, write: bool) -> T:
        connection, identity = self._borrow()
        try:
            if write:
                connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            if write:
                connection.execute("COMMIT")
        except BaseException:
            connection.close()  # which also rolls back
            raise
        with self._lock:
            if len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append((connection, identity))
                return result
        connection.close()
        return result

    def _borrow(self) -> tuple[sqlite3.Connection, _Identity]:
        """Take a connection to the file that is at the path now."""
        identity = self._identify()
        while True:
            with self._lock:
                if not self._idle:
                    break
                connection, opened_as = self._idle.pop()
            if opened_as == identity and identity is not None:
                return connection, identity
            connection.close()  # SQLite sees that its file has moved and leaves the new one's log alone
        return self._open()

    def _open(self) -> tuple[sqlite3.Connection, _Identity]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._exclusively():
            if self._identify() is None:
                # A log or an index left by a deleted file must not be taken for the new one's.
                for suffix in ("-wal", "-shm"):
                    self._beside(suffix).unlink(missing_ok=True)
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            return connection, self._identify()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables where there are none, and set what holds for this connection alone."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not tables:
            # only possible before the first table
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(self._schema)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {self._version}")
            connection.execute("COMMIT")
        elif application != _APPLICATION_ID:
            raise StorageError(f"{self.path} is the database of another program; choose another path for the storage")
        elif version != self._version:
            raise StorageError(
                f"{self.path} was made by another version of prebrush (format {version}, this one reads "
                f"{self._version}); move it away or choose another path for the storage"
            )
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")

    def _set_aside(self, identity: _Identity, error: sqlite3.Error) -> None:
        """Rename a damaged file, unless another thread or process has already done so."""
        try:
            with self._exclusively():
                if identity is None or self._identify() != identity:
                    return
                names = [f".corrupt-{number}" for number in range(1, self._damaged_kept + 1)]
                suffix = next((name for name in names if not self._beside(name).exists()), names[-1])
                aside = self._beside(suffix)
                self.path.replace(aside)
                log = self._beside("-wal")
                if log.exists():
                    log.replace(aside.with_name(aside.name + "-wal"))
                self._beside("-shm").unlink(missing_ok=True)
        except OSError as cause:
            raise StorageError(f"{self.path} is damaged ({error}) and cannot be set aside: {cause}") from cause
        _LOG.warning(
            "%s is damaged (%s): set aside as %s and started anew; %s", self.path, error, aside.name, self._loss
        )

    def _failure(self, error: Exception, *, write: bool) -> StorageError:
        if isinstance(error, sqlite3.Error) and _code_of(error) not in _BUSY:
            return StorageError(f"{self.path}: {error}")
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):
            return StorageError(f"{self.path}: {error.strerror or error}")
        message = f"{self.path} has been locked by another process for {_BUSY_S:g} s"
        self._breakers[write].failed(message)
        return StorageError(message)

    def _identify(self) -> _Identity:
        """Tell which file is at the path; None if there is none."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Keep all others, in this process and elsewhere, from making, opening or renaming the file."""
        lock = os.open(self._beside(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            give_up = time.monotonic() + _BUSY_S
            while not _try_lock(lock):
                if time.monotonic() > give_up:
                    raise TimeoutError
                time.sleep(0.01)
            yield
        finally:
            os.close(lock)


def _try_lock(descriptor: int) -> bool:
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _code_of(error: sqlite3.Error) -> int:
    """Return the primary result code; 0 for an error of the Python module itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _close_all(connections: list[tuple[sqlite3.Connection, _Identity]]) -> None:
    while connections:
        connections.pop()[0].close()


def _forget_connections(file: SqliteFile | None) -> None:
    """Start without connections in a forked child; a function, so that the hook does not keep the file alive."""
    if file is not None:
        _inherited.append(file._idle.copy())
        file._idle.clear()
        file._lock = threading.Lock()  # the parent's may have been held by another thread
