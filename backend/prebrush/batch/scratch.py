"""The storage of a batch: it reads what projects told, and keeps images' segments only while they are in use."""

from prebrush.recent import Recent
from prebrush.storage import Storage

SCRATCH_BYTES = 64_000_000
"""Enough for the images under way. What is uploaded is not asked for again: kept, it would push out what people use."""


class Scratch:
    """A `Storage` over another: cached values stay in memory, and little of it.

    Parameters
    ----------
    kept : Storage or None
        Where project state is read from and written to; None where there is none.
    """

    def __init__(self, kept: Storage | None) -> None:
        self._kept = kept
        self._recent: Recent[bytes] = Recent(SCRATCH_BYTES, len)

    @property
    def where(self) -> str:
        """Where the data lies."""
        return self._kept.where if self._kept else "memory"

    def get(self, key: str) -> bytes | None:
        """Return a value that was in use a moment ago."""
        return self._recent.get(key)

    def put(self, key: str, value: bytes) -> None:
        """Keep a value for a moment."""
        self._recent.put(key, value)

    def claim(self, key: str, token: str, seconds: float) -> bool:  # noqa: ARG002  a `Storage`
        """Always: nobody else works on what is not shared."""
        return True

    def release(self, key: str, token: str) -> None:
        """Nothing was claimed."""

    def load_project(self, project: str) -> bytes | None:
        """Return what was saved for a project."""
        return self._kept.load_project(project) if self._kept else None

    def save_project(self, project: str, state: bytes) -> None:
        """Replace what is saved for a project."""
        if self._kept:
            self._kept.save_project(project, state)

    def list_projects(self) -> list[str]:
        """List the projects that something is saved for."""
        return self._kept.list_projects() if self._kept else []

    def check(self) -> list[str]:
        """Check the storage below."""
        return self._kept.check() if self._kept else []

    def close(self) -> None:
        """Close the storage below."""
        if self._kept:
            self._kept.close()
