"""Who may call: credentials where the operator set some, and no foreign web page in any case."""

import hmac
import ipaddress
import logging
from urllib.parse import urlsplit

from flask import Flask, Request, request
from werkzeug.datastructures import Authorization

from prebrush.errors import Forbidden, NotAuthorized
from prebrush.settings import ServerSettings, Settings

logger = logging.getLogger(__name__)

PROBES = frozenset({"/health", "/ready"})
"""Open without credentials, for whoever watches the server; they tell nothing but that it lives."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def guard(app: Flask, settings: Settings) -> None:
    """Check every request before its route sees it."""
    server = settings.server
    # a name that is not this machine's means that a page elsewhere led a browser here, by a name server of its own
    only_this_machine = _is_loopback(server.host) and not asks_for_credentials(server) and not server.open_to_all

    @app.before_request
    def check_caller() -> None:
        # a browser always names the host
        if only_this_machine and request.headers.get("Host") and _can_be_anybodys(_host_of(request)):
            raise Forbidden(
                f"this server is for its own machine, and was asked by the name {_host_of(request)[:100]!r}; set "
                "BASIC_AUTH_USER and BASIC_AUTH_PASS, or PREBRUSH_SERVER_OPEN_TO_ALL=true if it is meant to be open"
            )
        if request.method not in _READING and _is_from_elsewhere(request):
            raise Forbidden("a web page of another site sent this; a proxy in between must pass the Host header on")
        if asks_for_credentials(server):
            _check_credentials(request, server)


def asks_for_credentials(server: ServerSettings) -> bool:
    """Tell whether callers must show something."""
    return bool(server.basic_auth_user or server.bearer_token)


def warn_if_open(settings: Settings) -> None:
    """Say at the start that anybody may call, unless only this machine can or the operator means it."""
    server = settings.server
    if asks_for_credentials(server) or server.open_to_all or _is_loopback(server.host):
        return
    logger.warning(
        "whoever reaches port %d of this machine may use this server: set BASIC_AUTH_USER and BASIC_AUTH_PASS, which "
        "Label Studio can show, or PREBRUSH_SERVER_OPEN_TO_ALL=true if that is meant",
        server.port,
    )


def _check_credentials(asked: Request, server: ServerSettings) -> None:
    """Take either of what is set; Label Studio can show user and password only."""
    if "Authorization" not in asked.headers and asked.path in PROBES:
        return
    shown = _credentials_of(asked)
    user = shown.username if shown and shown.type == "basic" else None
    password = shown.password if shown and shown.type == "basic" else None
    token = shown.token if shown and shown.type == "bearer" else None
    # all are compared in any case, in constant time, so that timing tells nothing of any
    is_user = _is_same(user, server.basic_auth_user)
    is_password = _is_same(password, server.basic_auth_pass)
    is_token = _is_same(token, server.bearer_token)
    if not (is_user and is_password) and not is_token:
        raise NotAuthorized("this server asks for the credentials of its operator: basic auth or a bearer token")


def _credentials_of(asked: Request) -> Authorization | None:
    """Read the header; None where there is none, or it is none of HTTP."""
    try:
        return asked.authorization
    except ValueError:  # Werkzeug expects letters of ASCII in it
        return None


def _is_same(shown: str | None, expected: str) -> bool:
    """Compare in constant time; what is not set is never the same as anything."""
    is_same = hmac.compare_digest((shown or "").encode("utf-8", "replace"), expected.encode("utf-8", "replace"))
    return is_same and bool(expected)


def _is_from_elsewhere(asked: Request) -> bool:
    """Tell whether a browser sends this for a page of another site; programs say nothing of that."""
    site = asked.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = asked.headers.get("Origin")
    if origin is None:
        return False
    # a page cannot set the second header without asking first, which is never allowed
    return urlsplit(origin).netloc not in (asked.headers.get("Host"), asked.headers.get("X-Forwarded-Host"))


def _host_of(asked: Request) -> str:
    """Return the name that the caller calls us by, without the port."""
    try:
        return urlsplit(f"//{asked.headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""


def _can_be_anybodys(host: str) -> bool:
    """Tell a name that anybody could register from addresses and names of a local network, as containers use them."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not host or ("." in host and not host.endswith((".localhost", ".internal", ".local")))
    return False


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
