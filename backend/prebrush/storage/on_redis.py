"""The storage that several machines share: Redis, alone, behind sentinels, or as a cluster.

Cached values carry a time to live and project state does not, so with ``maxmemory-policy volatile-lru`` only the cache
is evicted. All state lies in one hash, so that it can be listed without going through millions of cached keys.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from redis.exceptions import AuthenticationError, ClusterError, ConnectionError, ResponseError  # noqa: A004  theirs

from prebrush.errors import StorageError
from prebrush.storage.breaker import Breaker
from prebrush.storage.port import PREFIX, decode_names, encode_name, seal, unseal
from prebrush.storage.redis_url import Client, build_client, close_client

T = TypeVar("T")
_PROJECTS = PREFIX + b"projects"
_PAUSE_S = 3.0
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"
_SLOW_S = 1.2
"""A call that takes longer, its connection included, is the last one for a while: the work itself is faster."""
_LONGEST_CAUSE = 200


class RedisStorage:
    """Cache and project state in Redis.

    A server that does not answer costs one wait, of 1 s at most if it is a single one; for 3 s after that, or after an
    answer that took over 1.2 s, every call fails at once. A command that failed because an idle connection had been cut
    is sent once more.

    Parameters
    ----------
    url : str
        See `build_client`; connected at the first use.
    ttl_s : float
        Time to live of a cached value. How much memory the cache may take is the server's own setting.

    Raises
    ------
    ConfigError
        The URL cannot be read.
    """

    def __init__(self, url: str, *, ttl_s: float) -> None:
        self._build, self._where = build_client(url)
        self._ttl_ms = max(1, round(ttl_s * 1000))
        self._client: Client = None
        self._lock = threading.Lock()
        self._breaker = Breaker(_PAUSE_S)

    @property
    def where(self) -> str:
        """The server's address without credentials."""
        return f"Redis at {self._where}"

    def get(self, key: str) -> bytes | None:
        """Return a cached value; see `Storage.get`."""
        name = _cache_key(key)
        sealed = self._run(lambda client: _as_bytes(client.get(name)))
        return None if sealed is None else unseal(name, sealed)

    def put(self, key: str, value: bytes) -> None:
        """Cache a value; see `Storage.put`."""
        name = _cache_key(key)
        sealed = seal(name, value)
        self._run(lambda client: _expect(client.set(name, sealed, px=self._ttl_ms), bool))

    def claim(self, key: str, token: str, seconds: float) -> bool:
        """Tell whether the caller may do the work of a key; see `Storage.claim`."""
        name, value, ms = _lease_key(key), token.encode(), max(1, round(seconds * 1000))
        # no answer to NX is a no
        return self._run(lambda client: client.set(name, value, nx=True, px=ms)) is True

    def release(self, key: str, token: str) -> None:
        """Give up a claim; see `Storage.release`."""
        self._run(lambda client: _expect(client.eval(_RELEASE, 1, _lease_key(key), token.encode()), int))

    def load_project(self, project: str) -> bytes | None:
        """Return a project's state; see `Storage.load_project`."""
        name = encode_name(project)
        sealed = self._run(lambda client: _as_bytes(client.hget(_PROJECTS, name)))
        return None if sealed is None else unseal(name, sealed)

    def save_project(self, project: str, state: bytes) -> None:
        """Replace a project's state; see `Storage.save_project`. It survives what the server's persistence survives."""
        name = encode_name(project)
        self._run(lambda client: _expect(client.hset(_PROJECTS, name, seal(name, state)), int))

    def list_projects(self) -> list[str]:
        """Return the projects that have state, sorted."""
        return decode_names(self._run(lambda client: _expect(client.hkeys(_PROJECTS), list)))

    def check(self) -> list[str]:
        """Write and read a value, and look at what the server does with its memory; see `Storage.check`."""
        self.put("check", b"written")
        if self.get("check") != b"written":
            raise StorageError(f"{self.where} does not give back what was written to it")
        try:
            info = self._run(lambda client: _expect(client.info(), dict))
        except StorageError as error:
            if isinstance(error.__cause__, ResponseError):
                return []  # a server that tells nobody about itself is as good as any
            raise
        advice = []
        policy = str(info.get("maxmemory_policy", ""))
        if policy.startswith("allkeys"):
            advice.append(f"Redis may evict project state (maxmemory-policy {policy}); set it to volatile-lru")
        if policy == "noeviction" and info.get("maxmemory"):
            advice.append("Redis refuses new entries once its memory is full; set maxmemory-policy to volatile-lru")
        if not info.get("aof_enabled", 1):
            advice.append("Redis may forget the latest project state when it stops; set appendonly to yes")
        return advice

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            close_client(client)

    def _run(self, command: Callable[[Client], T]) -> T:
        """Send a command and translate everything that can come of it."""
        self._breaker.check()
        started = time.monotonic()
        try:
            try:
                result = command(self._connected())
            except ConnectionError as error:
                # its subclasses say that a server did answer: wrong password, still loading, no master
                if type(error) is not ConnectionError:
                    raise
                result = command(self._connected())
        except Exception as error:  # garbage makes the client's parser raise nearly anything
            failure = StorageError(f"{self.where}: {_describe(error)}")
            # A refusal comes at once and concerns one command: without memory or a master, reading goes on.
            if isinstance(error, ResponseError) and not isinstance(error, ClusterError):
                self._breaker.answered()
            else:
                self._breaker.failed(str(failure))
            raise failure from error
        seconds = time.monotonic() - started
        if seconds < _SLOW_S:
            self._breaker.answered()
        else:
            self._breaker.failed(f"{self.where}: took {seconds:.1f} s to answer")
        return result

    def _connected(self) -> Client:
        """Return the client; a cluster's asks its nodes for their slots while it is being made."""
        if self._client is None:
            client = self._build()
            with self._lock:
                if self._client is None:
                    self._client = client
        return self._client


def _cache_key(key: str) -> bytes:
    return PREFIX + b"cache:" + encode_name(key)


def _lease_key(key: str) -> bytes:
    return PREFIX + b"lease:" + encode_name(key)


def _expect(answer: object, kind: type[T]) -> T:
    """Pass an answer of the right type."""
    if not isinstance(answer, kind):
        raise TypeError(f"answered with {type(answer).__name__} where {kind.__name__} was expected")
    return answer


def _as_bytes(answer: object) -> bytes | None:
    return None if answer is None else _expect(answer, bytes)


def _describe(error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return f"refuses the credentials ({error})"
    return f"{type(error).__name__}: {error}"[:_LONGEST_CAUSE]
