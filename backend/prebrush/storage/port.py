"""What a storage is, and the form its values have while they lie in one. Every implementation passes one test suite."""

import contextlib
import zlib
from collections.abc import Iterable
from typing import Protocol

PREFIX = b"prebrush:1:"
"""Begins every key in Redis; the number is raised when what is stored changes its form. A SQLite file has its own."""

_SEAL_BYTES = 4


class Storage(Protocol):
    """Two kinds of data: a cache that may forget anything at any time, and project state that may not.

    A cached value lives for the time to live counted from when it was written, and leaves earlier when room is needed.
    Project state is never evicted, does not expire, survives restarts and is replaced as a whole: of two writers the
    last one wins, and a reader sees one value or the other.

    Every method may be called from any thread and raises `StorageError` alone: quickly where the storage answers,
    within a few seconds where it hangs, and at once for a few seconds after that.
    """

    @property
    def where(self) -> str:
        """Where the data lies, for messages; never a password."""

    def get(self, key: str) -> bytes | None:
        """Return a cached value; None if it was never there, is gone, or is not what was written under this key."""

    def put(self, key: str, value: bytes) -> None:
        """Cache a value, replacing an older one."""

    def claim(self, key: str, token: str, seconds: float) -> bool:
        """Tell whether the caller may do the work of a key now: nobody else has claimed it in the last `seconds`.

        A claim saves work and guards nothing: it may be lost like any cached value, and then two do the same.
        """

    def release(self, key: str, token: str) -> None:
        """Give up a claim, if it is still the one made with this token."""

    def load_project(self, project: str) -> bytes | None:
        """Return the state last saved for a project; None if there is none or it is damaged."""

    def save_project(self, project: str, state: bytes) -> None:
        """Replace the state of a project, durably: once this returns, it is there after a restart."""

    def list_projects(self) -> list[str]:
        """Return the projects that have state, sorted."""

    def check(self) -> list[str]:
        """Write and read something; return advice on settings that endanger the data, a line each."""

    def close(self) -> None:
        """Let go of connections and files; any other call opens them again."""


def encode_name(name: str) -> bytes:
    """Write a key or a project's name as bytes; half a surrogate pair, which JSON can smuggle in, is no error."""
    return name.encode("utf-8", "surrogatepass")


def decode_names(names: Iterable[object]) -> list[str]:
    """Undo `encode_name` for many, sorted; what it never wrote is left out."""
    decoded = []
    for name in names:
        if isinstance(name, bytes):
            with contextlib.suppress(UnicodeDecodeError):
                decoded.append(name.decode("utf-8", "surrogatepass"))
    return sorted(decoded)


def seal(name: bytes, value: bytes) -> bytes:
    """Prepend a checksum over name and value, so that a damaged or mixed-up value is recognised.

    A storage that answers one request with the reply to another would otherwise hand out a wrong mask.
    """
    return zlib.crc32(value, zlib.crc32(name)).to_bytes(_SEAL_BYTES, "little") + value


def unseal(name: bytes, sealed: object) -> bytes | None:
    """Return the value that was sealed under this name; None if it is not that."""
    if not isinstance(sealed, bytes):
        return None
    value = sealed[_SEAL_BYTES:]
    checksum = zlib.crc32(value, zlib.crc32(name)).to_bytes(_SEAL_BYTES, "little")
    return value if sealed[:_SEAL_BYTES] == checksum else None
