"""Requests to Label Studio's own origin: its credentials are tried one after the other until one is accepted."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prebrush.client.studio import Credential, CredentialKind, Studio
from prebrush.client.tokens import CredentialRefused, Tokens
from prebrush.errors import ImageForbidden
from prebrush.fetching import Fetched, Fetcher, Trusted, Url

REFUSALS = frozenset({401, 403})

HOW_TO_OPEN = (
    "A personal access token opens it: make one in Label Studio under Account & Settings > Personal Access Token "
    "and set LABEL_STUDIO_API_KEY (and LABEL_STUDIO_URL) where prebrush runs."
)
LEGACY_IS_OFF = (
    "Label Studio 1.23 refuses legacy tokens, also the one it tells in /setup, unless they are enabled "
    "under Organization > API Tokens Settings."
)
NOT_FOR_THAT_USER = (
    "It knows that token, but its user may not see this: use the token of a member of the project; files under "
    "/data/local-files/ also need LOCAL_FILES_SERVING_ENABLED=true and a storage connection in Label Studio."
)
KEY_IS_WITHHELD = (
    "LABEL_STUDIO_API_KEY was not shown to it, because only /setup told this address: set LABEL_STUDIO_URL too."
)


@dataclass(frozen=True, slots=True)
class StudioRequest:
    """One GET request to Label Studio's own origin.

    Attributes
    ----------
    url : Url
        The address.
    shown : str
        The same, fit for a message.
    max_bytes : int
        Largest body taken.
    deadline : float
        On the monotonic clock, in seconds.
    headers : mapping of str to str
        Sent along; no credentials.
    """

    url: Url
    shown: str
    max_bytes: int
    deadline: float
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def left_s(self) -> float:
        """Seconds left."""
        return self.deadline - time.monotonic()


@dataclass(frozen=True, slots=True)
class _Refusal:
    """How one credential was refused."""

    tried: str
    answer: str
    status: int = 401


class AuthorizedFetcher:
    """Fetches what Label Studio gives only to those it knows. Safe to share between threads."""

    def __init__(self, fetcher: Fetcher, now: Callable[[], float]) -> None:
        self._fetcher = fetcher
        self._tokens = Tokens(fetcher, now)

    def get(self, request: StudioRequest, studio: Studio, base: Url) -> tuple[Fetched, Credential | None]:
        """Get it with the first credential that is taken; return that too, None if none was needed.

        Raises
        ------
        ImageForbidden
            None is taken; the message lists what was tried and says which token to make.
        """
        refusals = []
        for credential in studio.credentials:
            answer = self._try(request, studio, base, credential)
            if not isinstance(answer, _Refusal):
                return answer, credential
            refusals.append(answer)
        if not refusals:
            # nothing to show: a proxy before Label Studio may open it to this server
            fetched = self._ask(request, studio, base, {})
            if not is_refusal(fetched):
                return fetched, None
            refusals.append(_Refusal("no credentials, for there are none", _describe(fetched, base), fetched.status))
        raise ImageForbidden(_explain(request, studio, base, refusals))

    def _try(self, request: StudioRequest, studio: Studio, base: Url, credential: Credential) -> "Fetched | _Refusal":
        """Try one credential; return what it opened, or how it was refused."""
        name = f"{credential.source} ({credential.kind.value})"
        worn = ""
        while True:
            try:
                header = self._tokens.authorize(
                    credential, base, private=studio.may_be_private, timeout_s=request.left_s, worn=worn
                )
            except CredentialRefused as error:
                return _Refusal(name, str(error))
            fetched = self._ask(request, studio, base, {"Authorization": header})
            if not is_refusal(fetched):
                return fetched
            if worn or credential.kind is not CredentialKind.PERSONAL or fetched.status != 401:
                return _Refusal(name, _describe(fetched, base), fetched.status)
            # the access token may have been withdrawn before its end: once more
            worn = header

    def _ask(self, request: StudioRequest, studio: Studio, base: Url, credentials: Mapping[str, str]) -> Fetched:
        return self._fetcher.fetch(
            request.url,
            max_bytes=request.max_bytes,
            headers=request.headers,
            trusted=Trusted(base.origin, credentials, private=studio.may_be_private),
            timeout_s=request.left_s,
        )


def is_refusal(fetched: Fetched) -> bool:
    """Tell an answer that other credentials might change."""
    return fetched.status in REFUSALS or is_page(fetched)


def is_page(fetched: Fetched) -> bool:
    """Tell a web page, most likely a login page, from an image."""
    start = fetched.body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return bool(re.match(rb"<(!doctype html|html|head|body)", start))


def _describe(fetched: Fetched, base: Url) -> str:
    """Say how a request was refused."""
    what = "a web page instead of an image" if fetched.status == 200 else str(fetched.status)
    if fetched.url.origin != base.origin:
        # credentials stay behind at the first origin, so a move to https ends in a refusal
        what += (
            f" from {fetched.url.origin}, to which it redirects; if that is Label Studio, set LABEL_STUDIO_URL to it"
        )
    return what


def _explain(request: StudioRequest, studio: Studio, base: Url, refusals: list[_Refusal]) -> str:
    """List what was tried, and say what to change."""
    tried = "; ".join(f"{refusal.tried}: {refusal.answer}" for refusal in refusals)
    parts = [f"Label Studio at {base} refuses {request.shown}; tried: {tried}."]
    if studio.withholds_key:
        parts.append(KEY_IS_WITHHELD)
    if any(refusal.status == 403 for refusal in refusals):
        parts.append(NOT_FOR_THAT_USER)
    else:
        if any(credential.kind is CredentialKind.LEGACY for credential in studio.credentials):
            parts.append(LEGACY_IS_OFF)
        parts.append(HOW_TO_OPEN)
    return " ".join(parts)
