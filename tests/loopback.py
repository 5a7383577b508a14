"""Real HTTP servers on loopback, in threads, for tests: an obedient one, a rude one, and a small Label Studio."""

import base64
import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Asked:
    """A request that came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass
class Answer:
    """What to answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def redirect(location: str, status: int = 302) -> Answer:
    return Answer(status, headers={"Location": location})


class Server:
    """Answers by a function of the request, and remembers what was asked."""

    def __init__(self, respond: Callable[[Asked], Answer], tls: ssl.SSLContext | None = None) -> None:
        self.respond = respond
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, body)
                outer.asked.append(asked)
                answer = outer.respond(asked)
                # a client that has read enough hangs up
                with contextlib.suppress(OSError):
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    if "Content-Length" not in answer.headers and answer.status != 304:
                        self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body)

            do_GET = do_POST = handle_any

            def log_message(self, *_: Any) -> None:
                """Keep the tests' output clean."""

        class Listener(ThreadingHTTPServer):
            # with the usual 5, a sixth client at once waits a second for its connection
            request_queue_size = 64

            def handle_error(self, *_: Any) -> None:
                """A refused TLS handshake is expected."""

        self._server = Listener(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def rude_server(behave: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Serve connections with raw bytes; `behave` gets the socket and an event that says when the test is over."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve_one(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            sock.recv(65536)
            behave(sock, over)

    def accept() -> None:
        while not over.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=serve_one, args=(sock,))
            thread.start()
            threads.append(thread)

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for thread in threads:
            thread.join()


def make_jwt(**claims: Any) -> str:
    """Make a token of the right form; its signature is nonsense."""
    parts = (json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "c2lnbmF0dXJl"])


class FakeStudio(Server):
    """Gives out images as Label Studio 1.23.2 does: what it was observed to answer to which credential."""

    legacy_token = "1b7c49d2e8f04c6d9a3e5f7081929a0b1c2d3e4f"

    def __init__(self, *, legacy_enabled: bool = False, prefix: str = "", lifetime_s: int = 300) -> None:
        super().__init__(self._respond)
        self.legacy_enabled = legacy_enabled
        self.prefix = prefix
        self.lifetime_s = lifetime_s
        self.personal_token = make_jwt(token_type="refresh", exp=8_000_000_000, iat=1_700_000_000, jti="personal")
        self.access_tokens: list[str] = []
        self.withdrawn: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.cloud: dict[str, Answer] = {}
        self.forbidden: set[str] = set()

    @property
    def trades(self) -> int:
        return sum(asked.path.endswith("/api/token/refresh/") for asked in self.asked)

    def _respond(self, asked: Asked) -> Answer:
        if not asked.path.startswith(f"{self.prefix}/"):
            return Answer(404)
        path = asked.path[len(self.prefix) :]
        if path == "/api/token/refresh/":
            return self._trade(asked)
        if not self._is_known(asked.headers.get("authorization", "")):
            return Answer(401, b'{"detail":"Authentication credentials were not provided."}')
        return self._give(path, asked)

    def _give(self, path: str, asked: Asked) -> Answer:
        if path == "/api/current-user/whoami":
            return Answer(200, b'{"id": 1, "email": "annotator@example.com"}', {"Content-Type": "application/json"})
        if path in self.forbidden:
            return Answer(403)
        if path.startswith("/data/upload/"):
            # a missing upload is a stumble
            found = self.files.get(unquote(path))
            return Answer(200, found) if found is not None else Answer(500, b"<!doctype html>Server Error")
        if path == "/data/local-files/":
            found = self.files.get(asked.query["d"])
            if found is None:
                return Answer(404)
            etag = f'W/"{len(found)}"'
            if asked.headers.get("if-none-match") == etag:
                return Answer(304, headers={"ETag": etag})
            return Answer(200, found, {"ETag": etag})
        if path.startswith("/tasks/") and path.endswith("/resolve/"):
            uri = base64.urlsafe_b64decode(asked.query["fileuri"]).decode()
            return self.cloud.get(uri, Answer(404))
        return Answer(404)

    def _trade(self, asked: Asked) -> Answer:
        if json.loads(asked.body).get("refresh") != self.personal_token:
            return Answer(401, b'{"detail":"Token is invalid","code":"token_not_valid"}')
        issued = int(time.time()) - 7200  # its clock is two hours behind ours
        number = len(self.access_tokens)
        access = make_jwt(token_type="access", iat=issued, exp=issued + self.lifetime_s, number=number)
        self.access_tokens.append(access)
        return Answer(200, json.dumps({"access": access}).encode(), {"Content-Type": "application/json"})

    def _is_known(self, authorization: str) -> bool:
        kind, _, secret = authorization.partition(" ")
        if kind == "Token":
            return self.legacy_enabled and secret == self.legacy_token
        return kind == "Bearer" and secret in self.access_tokens and secret not in self.withdrawn
