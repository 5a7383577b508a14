"""A storage that never fails: what the predictor works with, so that predictions go on without one."""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from prebrush.errors import StorageError
from prebrush.recent import Recent
from prebrush.storage.port import Storage

T = TypeVar("T")
_LOG = logging.getLogger(__name__)

KNOWN_BYTES = 32_000_000
"""Of project state that is remembered beside the storage: some ten thousand projects."""
HELD_BYTES = 64_000_000
"""Of project state that waits to be written."""


class ForgivingStorage:
    """Wraps a storage so that its absence costs time and nothing else. It is itself a `Storage`.

    While the storage is away, cache reads are misses and cache writes are dropped. Project state is better kept:

    - State that cannot be saved is held in memory, given to whoever loads it from this object, and written by a thread
      that tries again until it succeeds. It is lost only if this process ends first, which `close` reports, or if more
      than `HELD_BYTES` of newer state wait, which is logged.
    - State last loaded or saved here is remembered, up to `KNOWN_BYTES`, for the time that the storage is away.
      If the storage comes back without it (a Redis without persistence, a deleted file), all that is remembered is
      written again once any is missed.

    Other processes do not see held state before it is written; what one of them saved for the same project in the
    meantime is then overwritten.

    One warning is logged when a call first fails, one line of information when it works again, and one more warning
    when state is first held.

    Parameters
    ----------
    storage : Storage
    retry_s : float
        Pause between tries to write held state.
    calm_s : float
        How long no call may fail before the storage counts as back. A Redis without memory reads but cannot write, and
        a cluster that lost a node answers for some keys: without this, each would fill the log.
    """

    def __init__(self, storage: Storage, *, retry_s: float = 3.0, calm_s: float = 10.0) -> None:
        self._storage = storage
        self._retry_s = retry_s
        self._calm_s = calm_s
        self._away = False
        self._failed_at = 0.0
        self.errors = {"read": 0, "write": 0}
        """How many calls failed, by kind."""
        self._known: Recent[bytes] = Recent(KNOWN_BYTES, _size)
        self._held: Recent[bytes] = Recent(HELD_BYTES, _size)
        self._saves = 0
        self._lock = threading.Lock()
        # Held during a save, so that an older state never overtakes a newer one. Taken before the other lock.
        self._saving = threading.Lock()
        self._closing = threading.Event()
        self._writer: threading.Thread | None = None

    @property
    def where(self) -> str:
        """Where the data lies; see `Storage.where`."""
        return self._storage.where

    @property
    def away(self) -> bool:
        """Whether calls failed lately."""
        return self._away

    @property
    def held(self) -> int:
        """How many projects' states wait in memory to be written."""
        return len(self._held.names())

    def get(self, key: str) -> bytes | None:
        """Return a cached value; None also while the storage is away."""
        return self._try(lambda: self._storage.get(key))

    def put(self, key: str, value: bytes) -> None:
        """Cache a value, or drop it while the storage is away."""
        self._try(lambda: self._storage.put(key, value), "write")

    def claim(self, key: str, token: str, seconds: float) -> bool:
        """Claim the work of a key; everybody may do it while the storage is away."""
        return self._try(lambda: self._storage.claim(key, token, seconds), "write") is not False

    def release(self, key: str, token: str) -> None:
        """Give up a claim; while the storage is away it ends by itself."""
        self._try(lambda: self._storage.release(key, token), "write")

    def load_project(self, project: str) -> bytes | None:
        """Return a project's state as this process knows it if the storage is away or has lost it."""
        with self._lock:
            saves = self._saves
            held = self._held.get(project)
        if held is not None:
            return held
        answer = self._try(lambda: (self._storage.load_project(project),))
        with self._lock:
            known = self._known.get(project)
            if answer is None:
                return known
            state = answer[0]
            if saves != self._saves and known is not None:
                return known  # the answer may be older than what was saved while it was on its way
            if state is not None:
                self._known.put(project, state)
        if state is None and known is not None:
            self._hold_what_is_lost()
        return known if state is None else state

    def save_project(self, project: str, state: bytes) -> None:
        """Replace a project's state now, or as soon as the storage is back."""
        with self._saving:
            with self._lock:
                self._known.put(project, state)
                self._saves += 1
            self._write(project, state)

    def list_projects(self) -> list[str]:
        """Return the projects that have state, sorted; while the storage is away, those this process knows."""
        stored = self._try(self._storage.list_projects)
        return sorted({*self._known.names(), *self._held.names(), *(stored or ())})

    def check(self) -> list[str]:
        """Check the storage itself; this alone raises `StorageError`."""
        return self._storage.check()

    def close(self) -> None:
        """Write what is held, say so if that is not possible, and close the storage."""
        self._closing.set()
        if not self._write_held():
            time.sleep(self._retry_s)  # it may be back and only not tried again yet
        if not self._write_held():
            _LOG.error("%s is still away: the latest state of %d project(s) is lost", self.where, self.held)
        self._storage.close()

    def _try(self, call: Callable[[], T], kind: str = "read") -> T | None:
        """Call, and return None where the storage is away."""
        try:
            result = call()
        except StorageError as error:
            with self._lock:
                self.errors[kind] += 1
                if not self._away:
                    _LOG.warning("the storage is away, predictions go on without it: %s", error)
                self._away = True
                self._failed_at = time.monotonic()
            return None
        with self._lock:
            if self._away and time.monotonic() - self._failed_at >= self._calm_s:
                self._away = False
                _LOG.info("the storage is back: %s", self.where)
        return result

    def _write(self, project: str, state: bytes) -> bool:
        """Save a project's latest state, or hold it. The caller has ``_saving``."""

        def save() -> bool:
            self._storage.save_project(project, state)
            return True

        saved = self._try(save, "write") is True
        with self._lock:
            if saved:
                self._held.drop(project)
            else:
                self._hold(
                    project, state, "the storage does not take project state; it is held in memory until it does"
                )
        return saved

    def _hold_what_is_lost(self) -> None:
        """Look for everything that is known: a storage that lost one project's state may have come back empty."""
        for name in self._known.names():
            if name not in self._held and self._try(partial(self._is_lost, name)):
                with self._lock:
                    state = self._known.get(name)
                    if state is not None:
                        self._hold(name, state, "the storage no longer has project state that it had; writing it again")

    def _is_lost(self, project: str) -> bool:
        return self._storage.load_project(project) is None

    def _hold(self, project: str, state: bytes, why: str) -> None:
        """Keep a project's state until it is written. The caller has ``_lock``."""
        if not self.held:
            _LOG.warning("%s: %s", why, self.where)
        for lost in self._held.put(project, state):
            _LOG.error("too much project state waits to be written; that of project %s is lost", lost)
        if not self._closing.is_set() and (self._writer is None or not self._writer.is_alive()):
            self._writer = threading.Thread(target=self._keep_writing, name="storage-writer", daemon=True)
            self._writer.start()

    def _keep_writing(self) -> None:
        while not self._closing.wait(self._retry_s):
            self._write_held()
            with self._lock:
                if not self.held:
                    self._writer = None
                    return

    def _write_held(self) -> bool:
        """Try to save everything held; stop at the first that fails."""
        with self._saving:
            waiting = [(project, self._held.get(project)) for project in sorted(self._held.names())]
            return all(self._write(project, state) for project, state in waiting if state is not None)


def _size(state: bytes) -> int:
    """Tell how many bytes a project takes, with its name and what keeping it costs."""
    return len(state) + 500
