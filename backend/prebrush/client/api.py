"""What is asked of Label Studio, and what its answers mean."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prebrush.client.authorized import REFUSALS, AuthorizedFetcher, StudioRequest, is_page
from prebrush.client.locations import Location
from prebrush.client.studio import Credential, Studio
from prebrush.errors import ImageError, ImageForbidden, ImageNotFound, ImageUnreachable, StudioError
from prebrush.fetching import Fetched, Fetcher, Trusted, Url

MISSING = frozenset({404, 410})
MOST_JSON_BYTES = 1 << 26
"""Largest answer of Label Studio's API: a page of tasks with all their masks."""


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """Whom Label Studio takes us for.

    Attributes
    ----------
    url : str
        The Label Studio asked.
    user : str
        E-mail address, or user name.
    source, kind : str
        Which credential it took, and what that is; empty if it asked for none.
    """

    url: str
    user: str
    source: str
    kind: str


class StudioClient:
    """Gets images and facts from Label Studio, and images from elsewhere. Safe to share between threads.

    Parameters
    ----------
    fetcher : Fetcher
        How anything is fetched.
    now : callable
        A clock in seconds that never goes back, for the age of access tokens.
    """

    def __init__(self, fetcher: Fetcher, now: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._authorized = AuthorizedFetcher(fetcher, now)

    def get(
        self,
        location: Location,
        studio: Studio,
        *,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = math.inf,
    ) -> Fetched:
        """Get the bytes of an image.

        Parameters
        ----------
        location : Location
            Where it is, from `locate`.
        studio : Studio
            The project's Label Studio.
        max_bytes : int
            Largest body taken.
        headers : mapping of str to str
            Conditions (``If-None-Match`` ...).
        timeout_s : float
            Seconds for all the requests it takes, if fewer than the fetcher's limit for one.

        Returns
        -------
        Fetched
            With status 200, or 304 where a condition was given.

        Raises
        ------
        ImageNotFound, ImageForbidden, ImageTooLarge, ImageUnreachable, ImageUnreadable
            It cannot be had; the message says why and what to change.
        StudioError
            What was told as Label Studio's address is none.
        """
        request = StudioRequest(location.urls[0], location.shown, max_bytes, self._deadline(timeout_s), headers or {})
        base = studio.base
        if location.on_studio and base is not None:
            return self._get_own(request, location, studio, base)
        fetched = self._fetcher.fetch(
            request.url,
            max_bytes=max_bytes,
            headers=headers,
            trusted=Trusted(base.origin, private=studio.may_be_private) if base is not None else None,
            timeout_s=request.left_s,
        )
        if fetched.status in REFUSALS:
            raise ImageForbidden(
                f"{fetched.url.origin} refuses {location.shown} ({fetched.status}); prebrush has no credentials for it"
            )
        if fetched.status in MISSING:
            raise ImageNotFound(f"nothing is at {location.shown} ({fetched.status})")
        return _check(fetched, request)

    def whoami(self, studio: Studio, *, timeout_s: float = math.inf) -> WhoAmI:
        """Ask Label Studio who we are to it: a test of address and credentials.

        Raises
        ------
        StudioError
            It does not answer, does not know us, or is not Label Studio.
        """
        facts, credential = self._get_json("/api/current-user/whoami", studio, timeout_s)
        if not isinstance(facts, dict) or "id" not in facts:
            raise StudioError(f"{studio.base} answers, but not like Label Studio; is LABEL_STUDIO_URL right?")
        user = str(facts.get("email") or facts.get("username") or facts["id"])
        return WhoAmI(
            str(studio.base), user, credential.source if credential else "", credential.kind.value if credential else ""
        )

    def get_json(self, route: str, studio: Studio, *, timeout_s: float = math.inf) -> Any:
        """Ask a route of Label Studio's API, such as ``/api/projects/1/``; return the decoded JSON.

        Raises
        ------
        StudioError
            It does not answer as it should.
        """
        return self._get_json(route, studio, timeout_s)[0]

    def _deadline(self, timeout_s: float) -> float:
        return time.monotonic() + min(timeout_s, self._fetcher.limits.timeout_s)

    def _get_json(self, route: str, studio: Studio, timeout_s: float) -> tuple[Any, Credential | None]:
        base = studio.base
        if base is None:
            raise StudioError("nobody told where Label Studio is: set LABEL_STUDIO_URL")
        path, _, query = route.partition("?")
        shown = f"{base}{path}"
        url = Url(base.origin, base.path + path, query)
        request = StudioRequest(url, path, MOST_JSON_BYTES, self._deadline(timeout_s), {"Accept": "application/json"})
        try:
            fetched, credential = self._authorized.get(request, studio, base)
        except ImageError as error:
            raise StudioError(str(error)) from error
        if fetched.status != 200:
            raise StudioError(f"{shown} answers {fetched.status}; is LABEL_STUDIO_URL right?")
        try:
            return json.loads(fetched.body), credential
        except (ValueError, RecursionError) as error:
            raise StudioError(f"{shown} does not answer with JSON; is LABEL_STUDIO_URL right?") from error

    def _get_own(self, request: StudioRequest, location: Location, studio: Studio, base: Url) -> Fetched:
        """Get an image of Label Studio's own origin, from the first of its candidate addresses that has it."""
        for url in location.urls:
            fetched, _ = self._authorized.get(replace(request, url=url), studio, base)
            if fetched.status not in MISSING:
                break
        if fetched.status in MISSING:
            raise ImageNotFound(f"Label Studio at {base} has no {location.shown} ({fetched.status})")
        if fetched.status == 500 and location.immutable:
            # a missing upload makes Label Studio stumble instead of saying so
            raise ImageNotFound(
                f"Label Studio at {base} answers 500 to {location.shown}, which is what it does for a missing upload; "
                "the file may be missing there"
            )
        if fetched.status == 424:
            raise ImageUnreachable(f"Label Studio at {base} cannot read {location.shown} from its storage (424)")
        return _check(fetched, request)


def _check(fetched: Fetched, request: StudioRequest) -> Fetched:
    """Let a 200 that may be an image pass, and a 304 that was asked for; both kinds of host end here."""
    if is_page(fetched):
        raise ImageForbidden(
            f"{fetched.url.origin} answers {request.shown} with a web page instead of an image; "
            "most likely it is a login page"
        )
    if fetched.status != 200 and not (fetched.status == 304 and request.headers):
        raise ImageUnreachable(f"{fetched.url.origin} answers {fetched.status} to {request.shown}")
    return fetched
