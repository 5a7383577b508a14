"""One Label Studio: its address, what we may show it, and what we may believe of it."""

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from prebrush.errors import ImageForbidden, StudioError
from prebrush.fetching import Origin, Url, parse_url, show_reference

_TOKEN = re.compile(r"[\x21-\x7e]+")


class CredentialKind(Enum):
    """What a secret is, seen from its form."""

    LEGACY = "legacy token"
    PERSONAL = "personal access token"
    """A refresh token: traded for an access token before use."""
    ACCESS = "access token"
    TRUNCATED = "personal access token without its last part"
    """Label Studio shows a token whole only once; its list shows it without the signature."""
    BASIC = "login and password"
    UNUSABLE = "token with characters that no token has"


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret, what it is, and where we have it from.

    Attributes
    ----------
    source : str
        For messages: ``LABEL_STUDIO_API_KEY``, ``the token that /setup told``, ``the project's login and password``.
    kind : CredentialKind
        What it is.
    secret : str
        The token; for `BASIC`, login and password joined by a colon.
    """

    source: str
    kind: CredentialKind
    secret: str = field(repr=False)

    @classmethod
    def from_token(cls, source: str, token: str) -> "Credential":
        """Tell the kind of a token from its form."""
        return cls(source, _kind_of(token), token)


@dataclass(frozen=True, slots=True)
class Studio:
    """Where one project's Label Studio is and what opens it.

    Who tells what matters, because `/setup` and `/predict` may be called by anybody who reaches this server:

    - `url` and `api_key` come from the operator. `url` may be at a private address.
    - `setup_host` and `setup_token` come from one and the same `/setup`; take both from it or neither, else a forged
      `/setup` without a token would send the true token to its own host.
    - The operator's `api_key`, and the project's `login` and `password`, go to `url` or, while there is no `url`, to a
      `setup_host` on this very machine; never to another host that a `/setup` told.
    - `trust_setup_host` decides whether a `setup_host` may be at a private address while there is no `url`. True makes
      the first connection work with no configuration; the price is that a forged `/setup` can make this server ask any
      web server of the private network (link-local and metadata addresses excepted) for an image. Setting `url` ends
      that, as does False.

    Attributes
    ----------
    url : str
        LABEL_STUDIO_URL, with its sub-path if it has one; wins over `setup_host`.
    api_key : str
        LABEL_STUDIO_API_KEY, of any kind.
    setup_host, setup_token : str
        ``hostname`` and ``access_token`` of the project's last `/setup`.
    login, password : str
        ``params`` of the request.
    trust_setup_host : bool
        See above.
    """

    url: str = ""
    api_key: str = field(default="", repr=False)
    setup_host: str = ""
    setup_token: str = field(default="", repr=False)
    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    trust_setup_host: bool = True

    @property
    def base(self) -> Url | None:
        """Label Studio's address, the path without a slash at its end; None if nobody told it.

        Raises
        ------
        StudioError
            What was told is not an address.
        """
        if self.url:
            return _parse_base(self.url, "LABEL_STUDIO_URL")
        return self.setup_base

    @property
    def setup_base(self) -> Url | None:
        """The address that `/setup` told."""
        return _parse_base(self.setup_host, "the hostname that /setup told") if self.setup_host else None

    @property
    def may_be_private(self) -> bool:
        """Whether `base` may be at a private address."""
        return bool(self.url) or self.trust_setup_host

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """What to show to `base`, in the order to try."""
        base = self.base
        if base is None:
            return ()
        ours = bool(self.url) or _is_this_machine(base.origin)
        found = []
        if self.api_key and ours:
            found.append(Credential.from_token("LABEL_STUDIO_API_KEY", self.api_key.strip()))
        if self.setup_token and self.setup_token.strip() != self.api_key.strip():
            found.append(Credential.from_token("the token that /setup told", self.setup_token.strip()))
        if self.login and ours:
            basic = f"{self.login}:{self.password}"
            found.append(Credential("the project's login and password", CredentialKind.BASIC, basic))
        return tuple(found)

    @property
    def withholds_key(self) -> bool:
        """Whether there is an `api_key` that is not shown because nobody vouches for the address."""
        base = self.base
        return bool(self.api_key and base and not self.url and not _is_this_machine(base.origin))


def _parse_base(text: str, source: str) -> Url:
    try:
        base = parse_url(text)
    except ImageForbidden as error:
        raise StudioError(f"{source} is not an address of Label Studio: {error}") from error
    if base.query or "/../" in f"{base.path}/" or base.path.startswith("//"):
        raise StudioError(
            f"{source}, {show_reference(text)}, is not an address of Label Studio; "
            "write for example http://label-studio:8080"
        )
    return Url(base.origin, base.path.rstrip("/"))


def _is_this_machine(origin: Origin) -> bool:
    if origin.host == "localhost" or origin.host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(origin.host).is_loopback
    except ValueError:
        return False


def _kind_of(token: str) -> CredentialKind:
    if not _TOKEN.fullmatch(token):
        return CredentialKind.UNUSABLE
    claims = read_claims(token)
    if not claims:
        return CredentialKind.LEGACY
    if token.count(".") == 1:
        return CredentialKind.TRUNCATED
    return CredentialKind.PERSONAL if claims.get("token_type") == "refresh" else CredentialKind.ACCESS


def read_claims(token: str) -> Mapping[str, Any]:
    """Return what a JSON Web Token says of itself, unverified; empty if it is none."""
    parts = token.split(".")
    if len(parts) not in (2, 3):
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
