"""One errand over HTTP, within limits of place, time, size and redirects."""

import logging
import math
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from prebrush.errors import ImageForbidden, ImageUnreachable
from prebrush.fetching.addresses import Address, AllowList, parse_address
from prebrush.fetching.exchange import Fetched, Question, Transport
from prebrush.fetching.urls import Origin, Url, join_url, show_reference

logger = logging.getLogger(__name__)

REDIRECTS = frozenset({301, 302, 303, 307, 308})

Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""Host and port to the addresses of that host: the port to the name service."""


def resolve_host(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host, best first.

    The system also reads odd spellings of IPv4 (``2130706433``, ``0x7f.1``, ``0177.0.0.1``); they come back as what
    they are, and are judged as that.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How long an errand may take and how often it may be sent on.

    Attributes
    ----------
    timeout_s : float
        Seconds from the name look-up to the last byte, all redirects included.
    connect_s : float
        Seconds for one connection, TLS included.
    max_redirects : int
        Redirects followed.
    """

    timeout_s: float = 30.0
    connect_s: float = 5.0
    max_redirects: int = 5


@dataclass(frozen=True, slots=True)
class Trusted:
    """An origin the caller vouches for: Label Studio's own.

    Attributes
    ----------
    origin : Origin
        Scheme, host and port, all three.
    headers : mapping of str to str
        Credentials, sent as long as an errand that began at this origin has not left it.
    private : bool
        Whether it may be at a private or loopback address.
    """

    origin: Origin
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    private: bool = True


class Fetcher:
    """Fetches by HTTP. Safe to share between threads.

    Parameters
    ----------
    limits : FetchLimits
        Time and redirects.
    allowed : AllowList
        Where to.
    resolver : callable
        Host and port to addresses.
    tls : ssl.SSLContext or None
        How certificates are checked; None checks them against the system's authorities (or those in ``SSL_CERT_FILE``).
    """

    def __init__(
        self,
        limits: FetchLimits | None = None,
        allowed: AllowList | None = None,
        resolver: Resolver = resolve_host,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits or FetchLimits()
        self._allowed = allowed or AllowList()
        self._resolver = resolver
        self._transport = Transport(self.limits.connect_s, tls or ssl.create_default_context())

    def fetch(
        self,
        url: Url,
        *,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        trusted: Trusted | None = None,
        timeout_s: float = math.inf,
    ) -> Fetched:
        """GET a URL, following redirects.

        Parameters
        ----------
        url : Url
            Where to begin.
        max_bytes : int
            Largest body taken.
        headers : mapping of str to str
            Sent to every server on the way; never credentials.
        trusted : Trusted or None
            Label Studio's origin and the credentials that belong to it.
        timeout_s : float
            Seconds, if fewer than the limit's.

        Raises
        ------
        ImageForbidden
            An address on the way is not allowed.
        ImageUnreachable
            No answer, not in time, a broken answer, or too many redirects.
        ImageTooLarge
            The body is over `max_bytes`.
        ImageUnreadable
            The body is compressed although that was not asked for.
        """
        deadline = time.monotonic() + min(timeout_s, self.limits.timeout_s)
        start = url
        # credentials are for an errand that began at their origin, until it leaves it; coming back does not renew them
        at_home = trusted is not None and url.origin == trusted.origin
        for _ in range(self.limits.max_redirects + 1):
            own = trusted.headers if trusted is not None and at_home else {}
            question = Question("GET", url, {"Accept": "image/*, */*;q=0.5", **(headers or {}), **own}, max_bytes)
            fetched = self._transport.ask(question, self._addresses(url, trusted, deadline), deadline)
            if fetched.status not in REDIRECTS or not fetched.location:
                return fetched
            url = join_url(url, fetched.location)
            at_home = at_home and trusted is not None and url.origin == trusted.origin
            logger.debug("%s redirects to %s", fetched.url.origin, url.origin)
        raise ImageUnreachable(
            f"{show_reference(str(start))}: more than {self.limits.max_redirects} redirects (images.max_redirects)"
        )

    def post(self, url: Url, body: bytes, *, max_bytes: int, trusted: Trusted, timeout_s: float = math.inf) -> Fetched:
        """POST a JSON body. Redirects are not followed, because the body may hold a secret.

        Raises as `fetch` does.
        """
        deadline = time.monotonic() + min(timeout_s, self.limits.timeout_s)
        headers = {"Content-Type": "application/json", "Accept": "application/json", **trusted.headers}
        question = Question("POST", url, headers, max_bytes, body)
        return self._transport.ask(question, self._addresses(url, trusted, deadline), deadline)

    def _addresses(self, url: Url, trusted: Trusted | None, deadline: float) -> list[Address]:
        """Resolve the host once and keep the addresses that are allowed."""
        host = url.origin.host
        try:
            found = [parse_address(host)]
        except ValueError:
            found = [parse_address(text) for text in self._resolve(url.origin, deadline)]
        own = trusted is not None and trusted.private and url.origin == trusted.origin
        allowed = [address for address in found if self._allowed.permits(host, address, trusted=own)]
        if not allowed:
            raise ImageForbidden(
                f"{url.origin} is at {', '.join(map(str, found)) or 'no address'}, and this server may not fetch from "
                f"there. If it should, add {host!r} to images.allowed_hosts (PREBRUSH_IMAGES_ALLOWED_HOSTS); "
                "if it is Label Studio itself, set LABEL_STUDIO_URL to its address"
            )
        return allowed

    def _resolve(self, origin: Origin, deadline: float) -> Sequence[str]:
        """Resolve in a thread of its own: the system's look-up knows no time limit."""
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(self._resolver(origin.host, origin.port))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        threading.Thread(target=look_up, name="prebrush-resolve", daemon=True).start()
        try:
            answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty as error:
            raise ImageUnreachable(f"the host name {origin.host!r} could not be looked up in time") from error
        if isinstance(answer, Exception):
            raise ImageUnreachable(f"the host name {origin.host!r} is not known here") from answer
        return answer
