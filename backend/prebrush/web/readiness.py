"""Whether this server should get requests: a proxy or Kubernetes asks, and sends them to another one if not."""

from prebrush.predictor import Predictor
from prebrush.web.room import Room


class Readiness:
    """What `/ready` tells. Safe to share between threads.

    Attributes
    ----------
    is_warm : bool
        Whether every kernel is loaded; without them a first request would wait for the compiler.
    is_stopping : bool
        Whether the server was told to stop.
    """

    def __init__(self, *, is_warm: bool = False) -> None:
        self.is_warm = is_warm
        self.is_stopping = False

    def why_not(self, predictor: Predictor, room: Room) -> str:
        """Say what is in the way; empty if nothing is.

        A storage that is away is not: each server alone answers as well as without it, so nobody is helped if all of
        them are taken out at once.
        """
        if self.is_stopping:
            return "the server is stopping"
        if not self.is_warm:
            return "the kernels are being loaded"
        if room.is_full:
            return "every thread for long requests is busy"
        if predictor.errands.jobs.is_full:
            return "the queue is full"
        return ""
