"""A gate before a real Redis: lets through, delays every answer, or answers nonsense in its place."""

import contextlib
import socket
import threading


class Gate:
    """A proxy on loopback. `delay_s` and `nonsense` may be set at any time."""

    def __init__(self, port: int) -> None:
        self.delay_s = 0.0
        self.nonsense = b""
        self._to = port
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def __enter__(self) -> "Gate":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                inner, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(inner)
            try:
                outer = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                inner.close()
                continue
            self._sockets.append(outer)
            for pump in (self._ask, self._answer):
                thread = threading.Thread(target=pump, args=(inner, outer))
                self._threads.append(thread)
                thread.start()

    def _ask(self, inner: socket.socket, outer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while question := inner.recv(1 << 20):
                if self.nonsense:
                    inner.sendall(self.nonsense)
                else:
                    outer.sendall(question)
        self._hang_up(inner, outer)

    def _answer(self, inner: socket.socket, outer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while answer := outer.recv(1 << 20):
                self._over.wait(self.delay_s)
                inner.sendall(answer)
        self._hang_up(inner, outer)

    @staticmethod
    def _hang_up(*sockets: socket.socket) -> None:
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
