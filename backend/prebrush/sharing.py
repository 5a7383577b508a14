"""Work that several servers want at once is done by one of them.

This saves work and guarantees nothing: where a claim is lost, two servers do the same work, with the same result.
"""

import time
import uuid
from collections.abc import Callable
from typing import TypeVar

from prebrush.jobs import Slots, Urgency, stop_if_abandoned
from prebrush.storage import Storage

T = TypeVar("T")

LEAST_PIXELS = 500_000
"""From which work is shared: a smaller image is segmented in the time that asking around takes."""
LEASE_S = 5.0
LEASE_S_PER_MEGAPIXEL = 2.0
"""How long the others wait for the one that works: several times what the slowest method takes. Past it they do the
work themselves, so that one that died, or hangs, costs only this."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.5


class Sharing:
    """Runs work on a free core, unless another server is doing the same work. Safe to share between threads.

    Parameters
    ----------
    storage : Storage
        The one that all servers share; where it is away, each does its own.
    cores : Slots
    """

    def __init__(self, storage: Storage, cores: Slots) -> None:
        self._storage = storage
        self._cores = cores

    def work(
        self, key: str, pixels: int, find: Callable[[], T | None], compute: Callable[[], T], urgency: Urgency
    ) -> T:
        """Return the result for a key: from the storage, computed here, or from the server that is computing it.

        Parameters
        ----------
        key : str
            Equal for equal work.
        pixels : int
            Of the image.
        find : callable
            Takes the result from the storage; None where it is not there.
        compute : callable
            Computes the result and stores it.

        Raises
        ------
        Abandoned
            Nobody waits for it any more.
        """
        if pixels < LEAST_PIXELS:
            with self._cores.take(urgency):
                return compute()
        lease_s = LEASE_S + LEASE_S_PER_MEGAPIXEL * pixels / 1e6
        token = uuid.uuid4().hex
        give_up = time.monotonic() + lease_s
        pause_s = _FIRST_PAUSE_S
        while True:
            # the claim is made with the core at hand, so that nobody waits for one who waits
            with self._cores.take(urgency):
                if self._storage.claim(key, token, lease_s) or time.monotonic() >= give_up:
                    try:
                        found = find()
                        return compute() if found is None else found
                    finally:
                        self._storage.release(key, token)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            stop_if_abandoned()
            found = find()
            if found is not None:
                return found
