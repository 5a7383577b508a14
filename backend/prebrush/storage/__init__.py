"""Where cached segments and project state are kept: one port, SQLite and Redis behind it.

Code here knows nothing of what the values mean, except `packing` and `array_packing`, which write segments and arrays
as bytes. Values are never pickled: what comes back is checked and parsed, and whatever does not parse counts as not
there. Every error of SQLite, Redis, files or sockets leaves as `StorageError`, its cause kept, with no password in the
message.
"""

import math
from pathlib import Path

from prebrush.errors import ConfigError
from prebrush.storage.array_packing import pack_arrays, unpack_arrays
from prebrush.storage.forgiving import ForgivingStorage
from prebrush.storage.on_sqlite import SqliteStorage
from prebrush.storage.packing import pack_segments, unpack_segments
from prebrush.storage.port import Storage

__all__ = [
    "ForgivingStorage",
    "Storage",
    "open_storage",
    "pack_arrays",
    "pack_segments",
    "unpack_arrays",
    "unpack_segments",
]

_REDIS_SCHEMES = ("redis", "rediss", "unix")
_FILE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_LEAST_BYTES = 1 << 20


def open_storage(url: str, *, max_bytes: int, ttl_s: float) -> Storage:
    """Make the storage that a URL names. Nothing is connected or opened before its first use.

    Parameters
    ----------
    url : str
        A folder, which then holds ``state.db`` and ``cache.db``; or a file ending in ``.db``, ``.sqlite`` or
        ``.sqlite3`` for the project state, with the cache beside it (``name.cache.db``). Either may be written as
        ``sqlite:///relative/path`` or ``sqlite:////absolute/path``. Else a URL of Redis, see
        `prebrush.storage.redis_url.build_client`.
    max_bytes : int
        Bound on the cache file of SQLite, at least 1 MiB. Redis has its own setting, ``maxmemory``.
    ttl_s : float
        Time to live of cached values, over 0.

    Raises
    ------
    ConfigError
        The URL cannot be read or a bound makes no sense.
    """
    if not (math.isfinite(ttl_s) and ttl_s > 0):
        raise ConfigError(f"the storage's time to live is {ttl_s} s; it must be over 0")
    if max_bytes < _LEAST_BYTES:
        raise ConfigError(f"the storage's size bound is {max_bytes} bytes; it must be at least {_LEAST_BYTES}")
    scheme, separator, rest = url.partition("://")
    if separator and scheme.partition("+")[0] in _REDIS_SCHEMES:
        from prebrush.storage.on_redis import RedisStorage  # noqa: PLC0415  slow to import, and seldom needed

        return RedisStorage(url, ttl_s=ttl_s)
    if separator and (scheme != "sqlite" or not rest.startswith("/") or rest == "/"):
        raise ConfigError(
            f"the storage URL begins with {scheme}://; write a path, sqlite:///path, redis://host, rediss://host, "
            "redis+sentinel://host,host/master or redis+cluster://host,host"
        )
    try:
        state, cache = _locate_files(Path(rest[1:] if separator else url))
    except (OSError, ValueError) as error:  # the system takes no name with a zero byte, or so long a one
        raise ConfigError("the storage's path is not a path of this system") from error
    return SqliteStorage(state, cache, max_bytes=max_bytes, ttl_s=ttl_s)


def _locate_files(path: Path) -> tuple[Path, Path]:
    """Return the paths of the state file and the cache file."""
    if path.suffix not in _FILE_SUFFIXES or path.is_dir():
        return path / "state.db", path / "cache.db"
    return path, path.with_name(f"{path.stem}.cache{path.suffix}")
