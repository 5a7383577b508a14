"""A project cut into chunks: ranges of task ids, so that a chunk is named by two numbers and found by one query."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

CHUNK_TASKS = 50
"""Tasks in a chunk: enough that asking and uploading cost little beside predicting, few enough to be done again."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The tasks of a project with ids from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def key(self) -> str:
        """Its name in messages and journals."""
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Span:
    """Where the tasks of a project lie: the lowest and highest id, and how many there are between."""

    first: int
    last: int
    total: int

    def width(self, tasks: int = CHUNK_TASKS) -> int:
        """Ids in a chunk of about so many tasks: other projects' tasks have ids in between."""
        return max(1, math.ceil(tasks * (self.last - self.first + 1) / self.total)) if self.total else 1

    def count_chunks(self, width: int) -> int:
        """Count the chunks of this width."""
        return math.ceil((self.last - self.first + 1) / width) if self.total else 0

    def chunk(self, number: int, width: int) -> Chunk:
        """Return a chunk by its number, counted from 0."""
        first = self.first + number * width
        return Chunk(first, min(first + width - 1, self.last))

    def chunks(self) -> Iterator[Chunk]:
        """Go through all chunks."""
        width = self.width()
        return (self.chunk(number, width) for number in range(self.count_chunks(width)))
