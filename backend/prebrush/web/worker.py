"""The gunicorn worker: its threads are not held by slow clients, and it survives a lack of open files."""

import errno
import logging
import math
import time
from collections.abc import Iterable
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.workers.gthread import ThreadWorker

from prebrush.web.bodies import DirectBody
from prebrush.web.pacing import Crowd, PacedSocket

logger = logging.getLogger(__name__)

FIRST_BYTE_S = 0.005
"""A new connection on which nothing comes for so long waits in gunicorn's loop and not on a thread."""
IDLE_FRACTION = 0.9
"""Of all connections that there may be; past it the idle ones are closed, the oldest first, for new ones to come."""
NO_FILE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""What the system says where it has no room for one more connection."""
NO_FILE_PAUSE_S = 0.1
COMPLAIN_EVERY_S = 60.0


class PacedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is not typed
    """gunicorn's worker of threads, with paced connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._crowd = Crowd(self.cfg.threads)
        self._complained_at = -math.inf
        self.worker_connections: int = self.cfg.worker_connections

    def accept(self, *listener: Any) -> None:
        """Take a new connection; where there is no room for it, it waits. gunicorn's own worker would end."""
        try:
            super().accept(*listener)
        except OSError as error:
            if error.errno not in NO_FILE:
                raise
            if time.monotonic() - self._complained_at > COMPLAIN_EVERY_S:
                self._complained_at = time.monotonic()
                logger.warning("a new connection must wait: %s; allow this process more open files", error.strerror)
            # what was too many once is too many; older gunicorns listen to nobody while they have so many
            if hasattr(self, "pending_conns"):
                fewer = max(self.cfg.threads, int(IDLE_FRACTION * self.nr_conns))
                self.worker_connections = min(self.worker_connections, fewer)
            time.sleep(NO_FILE_PAUSE_S)

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to the threads; until one takes it, it waits."""
        # before the parser is made, which keeps the socket
        if not isinstance(conn.sock, PacedSocket):
            conn.sock = PacedSocket(conn.sock, self._crowd)
            # newer gunicorns hand out a connection before anything came on it
            if hasattr(conn, "wait_for_data"):
                conn.wait_for_data = lambda _: self._wait_for_data(conn)
        self._crowd.change(+1)
        super().enqueue_req(conn)

    @staticmethod
    def _wait_for_data(conn: Any) -> bool:
        """Tell whether something has come; gunicorn's own would open a file for that."""
        conn.data_ready = conn.data_ready or conn.sock.has_come(FIRST_BYTE_S)
        return bool(conn.data_ready)

    def handle(self, conn: Any) -> Any:
        """Read one request and answer it."""
        self._crowd.change(-1)
        conn.sock.begin()
        told = super().handle(conn)
        # older gunicorns give the connection along
        if not (told[0] if isinstance(told, tuple) else told):
            conn.sock.end()
        return told

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Let the app answer a request whose head was read."""
        reader = getattr(req.body, "reader", None)
        if isinstance(reader, LengthReader):
            req.body = DirectBody(req.unreader, conn.sock, reader.length)
        conn.sock.begin_body()
        try:
            return super().handle_request(req, conn)
        finally:
            conn.sock.end_body()

    def murder_pending(self) -> None:
        """Close connections on which nothing came; newer gunicorns would wait for them while the server stops."""
        self._expire(self.pending_conns, self._too_many() if self.alive else len(self.pending_conns))
        super().murder_pending()

    def murder_keepalived(self, *arguments: Any, **options: Any) -> None:
        """Close connections on which nothing more came."""
        # older gunicorns call them differently
        kept_alive = self.keepalived_conns if hasattr(self, "keepalived_conns") else self._keep
        self._expire(kept_alive, self._too_many())
        super().murder_keepalived(*arguments, **options)

    def _too_many(self) -> int:
        most = int(IDLE_FRACTION * self.worker_connections)
        return max(0, int(self.nr_conns) - most)

    @staticmethod
    def _expire(connections: Iterable[Any], count: int) -> None:
        """Mark the oldest connections as timed out, so that gunicorn closes them."""
        # copied at once, for in older gunicorns threads change them
        for conn in tuple(connections)[:count]:
            conn.timeout = 0.0

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Stop in an orderly way: note that slow clients get no more time, and tell the app."""
        self._crowd.is_leaving = True
        self.app.stop()
        super().handle_exit(sig, frame)
