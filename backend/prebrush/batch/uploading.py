"""Each prediction into Label Studio once, although requests get lost, answers get lost and processes are killed.

Label Studio takes the same prediction twice if it is sent twice. So nothing is sent again before it was asked what has
arrived; and where an upload may still be under way, because its sender died or its answer did not come, that takes a
while. Should one arrive even later, its double is taken away at the end. Of another run over the same project this one
knows nothing, so it asks just before it sends.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from prebrush.batch.chunks import Chunk
from prebrush.batch.journal import Journal
from prebrush.errors import StudioAway, StudioError, Unanswered

if TYPE_CHECKING:
    from prebrush.batch.studio import StudioProject

logger = logging.getLogger(__name__)

MOST_BYTES = 24_000_000
"""In one upload; Label Studio takes ten times that, but holds it in memory several times over."""
SETTLE_S = 20.0
"""For so long an upload that nobody waits for any more may still arrive."""
ASK_EVERY_S = 1.0
TRIES = 4

Failure = tuple[int, str]


class Uploader:
    """Uploads the predictions of one model version.

    Parameters
    ----------
    project : StudioProject
    version : str
    journal : Journal
    sleep : callable (seconds)
    """

    def __init__(
        self, project: "StudioProject", version: str, journal: Journal, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._project = project
        self._version = version
        self._journal = journal
        self._sleep = sleep
        self._doubtful: set[int] = set()

    def settle(self, chunk: Chunk) -> None:
        """Find out what became of the upload that a killed run had begun of this chunk, if it had."""
        begun = self._journal.pending().get(chunk.key)
        if begun is not None:
            self._wait_for(chunk, begun.tasks, begun.age_s)
            self._journal.end(chunk.key)

    def settle_all(self) -> None:
        """The same for every chunk; they may be cut otherwise by now."""
        for key in self._journal.pending():
            first, _, last = key.partition("-")
            self.settle(Chunk(int(first), int(last)))

    def upload(self, chunk: Chunk, entries: Mapping[int, bytes]) -> list[Failure]:
        """Upload the predictions that a chunk's tasks lack; return those that could not be stored, with the reason.

        Raises
        ------
        StudioError
            Label Studio does not answer any more, however often it was asked.
        """
        failures: list[Failure] = []
        for part in _parts(entries):
            for task in self._project.predicted(chunk, self._version):
                part.pop(task, None)
            if not part:
                continue
            self._journal.begin(chunk.key, list(part))
            failures += self._upload(chunk, part)
            self._journal.end(chunk.key)
        return failures

    def remove_doubles(self) -> int:
        """Take away what arrived twice after all; return how many predictions that were."""
        removed = sum(self._project.remove_doubles(task, self._version) for task in sorted(self._doubtful))
        self._doubtful.clear()
        return removed

    def _upload(self, chunk: Chunk, entries: dict[int, bytes]) -> list[Failure]:
        for attempt in range(TRIES):
            if not entries:
                return []
            try:
                taken = self._project.upload(entries)
            except StudioAway as error:
                logger.warning("chunk %s: %s", chunk.key, error)
                self._sleep(2.0**attempt)
                if isinstance(error, Unanswered):
                    entries = self._left(chunk, entries)
                last = error
            except StudioError as error:
                return self._upload_fewer(chunk, entries, error)
            else:
                return [] if taken == len(entries) else self._not_taken(chunk, entries)
        if not entries:
            return []
        if isinstance(last, Unanswered):
            raise last
        return self._upload_fewer(chunk, entries, last)

    def _left(self, chunk: Chunk, entries: Mapping[int, bytes]) -> dict[int, bytes]:
        """Return what has to be sent again after an answer that did not come."""
        missing = self._wait_for(chunk, tuple(entries), 0.0)
        return {task: entry for task, entry in entries.items() if task in missing}

    def _wait_for(self, chunk: Chunk, tasks: Sequence[int], waited_s: float) -> set[int]:
        """Wait until an upload has arrived, or will not any more; return which of its tasks lack a prediction.

        Label Studio stores one request's predictions together: where one is there, all are that it takes.
        """
        while (missing := self._project.missing(chunk, self._version)).issuperset(tasks) and waited_s < SETTLE_S:
            self._sleep(ASK_EVERY_S)
            waited_s += ASK_EVERY_S
        if missing.issuperset(tasks):
            self._doubtful |= set(tasks)
        return missing & set(tasks)

    def _upload_fewer(self, chunk: Chunk, entries: dict[int, bytes], error: StudioError) -> list[Failure]:
        """Find what Label Studio refuses, which refuses all for the sake of one."""
        existing = self._project.existing(chunk)
        gone = [(task, "the task was deleted meanwhile") for task in entries if task not in existing]
        left = {task: entry for task, entry in entries.items() if task in existing}
        if gone:
            return gone + self._upload(chunk, left)
        if len(left) == 1:
            return [(task, str(error)) for task in left]
        items = list(left.items())
        middle = len(items) // 2
        return [*self._upload(chunk, dict(items[:middle])), *self._upload(chunk, dict(items[middle:]))]

    def _not_taken(self, chunk: Chunk, entries: Mapping[int, bytes]) -> list[Failure]:
        missing = self._project.missing(chunk, self._version)
        reason = "Label Studio finds fault with the prediction; its log says which"
        return [(task, reason) for task in entries if task in missing]


def _parts(entries: Mapping[int, bytes]) -> Sequence[dict[int, bytes]]:
    """Divide what is too much for one request."""
    parts: list[dict[int, bytes]] = []
    room = 0
    for task, entry in entries.items():
        if not parts or len(entry) > room:
            parts.append({})
            room = MOST_BYTES
        parts[-1][task] = entry
        room -= len(entry)
    return parts
