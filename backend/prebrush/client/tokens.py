"""Credentials to headers. Personal access tokens are traded for access tokens, which live for minutes."""

import base64
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from prebrush.client.studio import Credential, CredentialKind, read_claims
from prebrush.errors import ImageError, ImageUnreachable, StudioError
from prebrush.fetching import Fetcher, Trusted, Url, show_reference

logger = logging.getLogger(__name__)

DEFAULT_LIFETIME_S = 300.0
"""Of an access token that does not tell: Label Studio's default."""
RENEW_EARLY_S = 30.0
"""Renewed this long before its end, so that it does not end on its way."""
FAILURE_KEPT_S = 5.0
"""A trade that failed is not tried again for so long: who comes meanwhile is told the same at once."""
FAIR_TIME_S = 1.0
"""A trade that got less time than this and failed says nothing of Label Studio."""
MOST_KEPT = 256
"""Tokens come with requests; the oldest are forgotten."""
MOST_ANSWER_BYTES = 1 << 20


class CredentialRefused(StudioError):
    """Label Studio does not take this credential; another one may do."""


@dataclass(slots=True)
class _Access:
    """The access token got for one personal access token, and the lock that lets one thread at a time renew it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = field(default="", repr=False)
    good_until: float = 0.0
    failure: ImageError | CredentialRefused | None = None
    failed_until: float = 0.0


class Tokens:
    """Makes the ``Authorization`` header of a credential. Safe to share between threads.

    Parameters
    ----------
    fetcher : Fetcher
        For trading tokens.
    now : callable
        A clock in seconds that never goes back.
    """

    def __init__(self, fetcher: Fetcher, now: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._now = now
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Url, str], _Access] = OrderedDict()

    def authorize(self, credential: Credential, base: Url, *, private: bool, timeout_s: float, worn: str = "") -> str:
        """Return the header's value.

        Parameters
        ----------
        credential : Credential
            What to show.
        base : Url
            Label Studio.
        private : bool
            Whether that may be at a private address.
        timeout_s : float
            Seconds for the trade, and for waiting while another thread makes it.
        worn : str
            The value that was refused just now; a personal access token is traded anew if it still gives this one.

        Raises
        ------
        CredentialRefused
            The credential cannot be used, or Label Studio does not trade it.
        ImageError
            Label Studio cannot be reached, or not in time.
        """
        match credential.kind:
            case CredentialKind.LEGACY:
                return f"Token {credential.secret}"
            case CredentialKind.ACCESS:
                return f"Bearer {credential.secret}"
            case CredentialKind.BASIC:
                return "Basic " + base64.b64encode(credential.secret.encode("utf-8", "replace")).decode("ascii")
            case CredentialKind.PERSONAL:
                return self._access(credential.secret, base, private=private, timeout_s=timeout_s, worn=worn)
            case CredentialKind.TRUNCATED:
                raise CredentialRefused(
                    "it is a personal access token without its last part; Label Studio shows a token whole only when "
                    "it is made, so make a new one and copy it there"
                )
            case CredentialKind.UNUSABLE:
                raise CredentialRefused("it holds characters that no token has")

    def _access(self, refresh: str, base: Url, *, private: bool, timeout_s: float, worn: str) -> str:
        with self._lock:
            access = self._kept.setdefault((base, refresh), _Access())
            self._kept.move_to_end((base, refresh))
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        timeout_s = max(0.0, min(timeout_s, self._fetcher.limits.timeout_s))
        deadline = time.monotonic() + timeout_s
        # held during the trade: of many threads that find the token worn, the first renews it for all
        if not access.lock.acquire(timeout=timeout_s):
            raise ImageUnreachable(f"{base}/api/token/refresh/ did not answer in time (images.timeout_s)")
        try:
            if not access.token or self._now() >= access.good_until or access.token == worn:
                self._renew(access, refresh, base, private=private, timeout_s=deadline - time.monotonic())
            return access.token
        finally:
            access.lock.release()

    def _renew(self, access: _Access, refresh: str, base: Url, *, private: bool, timeout_s: float) -> None:
        """Trade for a new access token, unless that failed a moment ago; the caller holds the lock."""
        if access.failure is not None and self._now() < access.failed_until:
            # a new one each time: an exception that several threads raise would gather their tracebacks
            raise type(access.failure)(str(access.failure))
        try:
            access.token, access.good_until = self._trade(refresh, base, private=private, timeout_s=timeout_s)
        except (ImageError, CredentialRefused) as error:
            if timeout_s >= FAIR_TIME_S:
                access.failure, access.failed_until = type(error)(str(error)), self._now() + FAILURE_KEPT_S
            raise
        access.failure = None

    def _trade(self, refresh: str, base: Url, *, private: bool, timeout_s: float) -> tuple[str, float]:
        """Trade a personal access token; return the header's value and until when it is good."""
        asked_at = self._now()
        answer = self._fetcher.post(
            Url(base.origin, f"{base.path}/api/token/refresh/"),
            json.dumps({"refresh": refresh}).encode(),
            max_bytes=MOST_ANSWER_BYTES,
            trusted=Trusted(base.origin, private=private),
            timeout_s=timeout_s,
        )
        if answer.status != 200:
            where = f"{base}/api/token/refresh/ answers {answer.status} to it"
            if answer.location:
                raise CredentialRefused(f"{where} and redirects to {show_reference(answer.location)}; use that address")
            hint = (
                "it is revoked, expired or of another Label Studio" if answer.status == 401 else "is that Label Studio?"
            )
            raise CredentialRefused(f"{where}: {hint}")
        try:
            token = json.loads(answer.body)["access"]
        except (ValueError, KeyError, TypeError) as error:
            raise CredentialRefused(
                f"{base}/api/token/refresh/ answers without an access token; is that Label Studio?"
            ) from error
        if not isinstance(token, str) or Credential.from_token("", token).kind is CredentialKind.UNUSABLE:
            raise CredentialRefused(
                f"{base}/api/token/refresh/ answers with something that is no token; is that Label Studio?"
            )
        claims = read_claims(token)
        try:
            # the difference of two times of Label Studio's clock: ours may differ from it
            lifetime = float(claims["exp"]) - float(claims["iat"])
        except (KeyError, TypeError, ValueError):
            lifetime = DEFAULT_LIFETIME_S
        logger.debug("traded a personal access token at %s for an access token of %.0f s", base.origin, lifetime)
        return f"Bearer {token}", asked_at + lifetime - min(RENEW_EARLY_S, lifetime / 4)
