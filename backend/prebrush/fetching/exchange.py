"""One question to one server at addresses already judged, and its answer, before a deadline."""

import contextlib
import http
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from prebrush.errors import ImageTooLarge, ImageUnreachable, ImageUnreadable
from prebrush.fetching.addresses import Address
from prebrush.fetching.urls import Origin, Url, show_reference
from prebrush.version import __version__

CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a server."""

    method: str
    url: Url
    headers: Mapping[str, str] = field(repr=False)
    max_bytes: int
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the last server of an errand answered.

    Attributes
    ----------
    url : Url
        Where it was found, after redirects.
    status : int
        HTTP status; a redirect only where redirects are not followed.
    body : bytes
        The body of a 200; empty for any other status.
    content_type, etag, last_modified, cache_control, location : str
        The header of that name; empty if there was none.
    """

    url: Url
    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    etag: str = ""
    last_modified: str = ""
    cache_control: str = ""
    location: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Transport:
    """How connections are made.

    Attributes
    ----------
    connect_s : float
        Seconds for one connection, TLS included.
    tls : ssl.SSLContext
        How certificates are checked.
    """

    connect_s: float
    tls: ssl.SSLContext

    def ask(self, question: Question, addresses: Sequence[Address], deadline: float) -> Fetched:
        """Ask once and read the answer.

        Parameters
        ----------
        question : Question
            What is asked.
        addresses : sequence of Address
            Where the host is, judged; tried in order.
        deadline : float
            On the monotonic clock, in seconds.

        Raises
        ------
        ImageUnreachable, ImageTooLarge, ImageUnreadable
            No answer or a broken one, a body over the limit, a compressed body.
        """
        url = question.url
        connection = self._connect(url.origin, addresses, deadline)
        headers = {
            "Host": url.origin.netloc,
            "User-Agent": f"prebrush/{__version__}",
            # a compressed body could grow a thousandfold on our side of the byte limit
            "Accept-Encoding": "identity",
            "Connection": "close",
            **question.headers,
        }
        with contextlib.closing(connection), _cut_off(connection, url.origin, deadline):
            connection.request(question.method, url.target, question.body, headers, preload_content=False)
            with contextlib.closing(connection.getresponse()) as response:
                found = response.headers
                is_ok = response.status == http.HTTPStatus.OK
                fetched = Fetched(
                    url,
                    response.status,
                    _read_body(response, url, question.max_bytes) if is_ok else b"",
                    content_type=found.get("Content-Type", ""),
                    etag=found.get("ETag", ""),
                    last_modified=found.get("Last-Modified", ""),
                    cache_control=found.get("Cache-Control", ""),
                    # http.client reads headers as Latin-1; what is meant is UTF-8
                    location=found.get("Location", "").encode("latin-1", "replace").decode("utf-8", "replace"),
                )
        return fetched

    def _connect(self, origin: Origin, addresses: Sequence[Address], deadline: float) -> HTTPConnection:
        """Connect to the first of the addresses that takes the connection."""
        refusal: Exception | None = None
        for address in addresses:
            timeout = min(self.connect_s, deadline - time.monotonic())
            if timeout <= 0:
                raise _late(origin)
            connection = self._connection(origin, address, timeout)
            try:
                connection.connect()
            except (OSError, urllib3.exceptions.HTTPError) as error:
                connection.close()
                refusal = error
                continue
            # from here on the socket may wait until the end; the cut-off is what ends it
            remaining = max(0.001, deadline - time.monotonic())
            connection.timeout = remaining
            connection.sock.settimeout(remaining)
            return connection
        if isinstance(refusal, ssl.SSLCertVerificationError):
            raise ImageUnreachable(
                f"the certificate of {origin} is not trusted: {refusal.verify_message}; "
                "for an authority of your own set SSL_CERT_FILE"
            ) from refusal
        tried = ", ".join(map(str, addresses))
        raise ImageUnreachable(f"{origin} ({tried}) does not take a connection: {_reason(refusal)}") from refusal

    def _connection(self, origin: Origin, address: Address, timeout: float) -> HTTPConnection:
        """Prepare a connection to the address itself; the name is for the certificate and the ``Host`` header alone."""
        if origin.scheme == "http":
            return HTTPConnection(str(address), origin.port, timeout=timeout)
        return HTTPSConnection(
            str(address), origin.port, timeout=timeout, ssl_context=self.tls, server_hostname=origin.host
        )


def _read_body(response: urllib3.BaseHTTPResponse, url: Url, max_bytes: int) -> bytes:
    """Read what was sent, up to the limit, whatever the server claims its size to be."""
    shown = show_reference(str(url))
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise ImageUnreadable(f"{shown} is sent {show_reference(encoding)}-compressed although that was not asked for")
    too_large = ImageTooLarge(f"{shown} is over {max_bytes} bytes (images.max_bytes)")
    claimed = response.headers.get("Content-Length", "")
    if claimed.isascii() and claimed.isdigit() and int(claimed[:20]) > max_bytes:
        raise too_large
    chunks, total = [], 0
    for chunk in response.stream(CHUNK_BYTES, decode_content=False):
        total += len(chunk)
        if total > max_bytes:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


@contextlib.contextmanager
def _cut_off(connection: HTTPConnection, origin: Origin, deadline: float) -> Iterator[None]:
    """End the exchange at its deadline, and translate what goes wrong in it.

    A time limit on a socket begins anew with every byte, so a server that sends one byte a second could hold a thread
    for days. A timer that shuts the socket down also ends a wait in the middle of the headers.
    """
    late = threading.Event()
    sock = connection.sock

    def cut() -> None:
        late.set()
        # the plain socket's method, also for TLS: the TLS one would pull the session away under the reader
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
        if late.is_set() or isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
            raise _late(origin) from error
        raise ImageUnreachable(f"{origin} broke off: {_reason(error)}") from error
    finally:
        timer.cancel()
    if late.is_set():
        # a body without a stated length looks complete when it is cut off
        raise _late(origin)


def _late(origin: Origin) -> ImageUnreachable:
    return ImageUnreachable(f"{origin} did not answer in full in time (images.timeout_s)")


def _reason(error: BaseException | None) -> str:
    """Say in a few words what went wrong, without what a library wrote about its own objects."""
    cause = error
    while cause is not None:
        is_late = isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError)
        # urllib3 counts every connection that was not made among the time-outs; its cause knows better
        if is_late and not isinstance(cause, urllib3.exceptions.NewConnectionError):
            return "no answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__
    return type(error).__name__
