"""Who of the requests from one place in the page goes next: the newest. What was asked before is not worth a core."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Lane:
    newest: int = -1
    present: int = 0
    is_busy: bool = False


class Turns:
    """One request of a lane at a time; of those that wait, only the newest gets its turn. Safe between threads.

    Knows nothing of lanes without a request under way, so that it is as small as the number of threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lanes: dict[str, _Lane] = {}

    @contextmanager
    def take(self, lane: str, number: int) -> Iterator[bool]:
        """Wait for the turn.

        Parameters
        ----------
        lane : str
            Whose request it is: a place in the page of one visitor.
        number : int
            Counts up with each request of the lane.

        Yields
        ------
        bool
            Whether it is still wanted; False, at once, when a newer one of the lane has come.
        """
        with self._changed:
            state = self._lanes.setdefault(lane, _Lane())
            state.present += 1
            state.newest = max(state.newest, number)
            self._changed.notify_all()
            self._changed.wait_for(lambda: state.newest > number or not state.is_busy)
            is_wanted = state.newest == number
            state.is_busy = state.is_busy or is_wanted
        try:
            yield is_wanted
        finally:
            with self._changed:
                state.is_busy = state.is_busy and not is_wanted
                state.present -= 1
                if not state.present:
                    del self._lanes[lane]
                self._changed.notify_all()

    def __len__(self) -> int:
        """Return the number of lanes with a request under way."""
        return len(self._lanes)
