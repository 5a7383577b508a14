"""From an image reference to an `Image`, or to the certainty that it is the one already known."""

import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from prebrush.client import Location, Studio, StudioClient, locate
from prebrush.datatypes import Image
from prebrush.errors import ImageError
from prebrush.fetching import Fetched, show_reference
from prebrush.images.data_urls import decode_data_url, is_data_url
from prebrush.images.decoding import ImageLimits, decode_image

DIGEST_CHARACTERS = 32
SETTLED_S = 60.0
PASSWORD_ROUNDS = 100_000
"""A guess costs tens of milliseconds; we pay them once for each password."""


@dataclass(frozen=True, slots=True)
class ImageIdentity:
    """Which image was found behind a reference, and how long that may be believed. Plain data, to be kept.

    Attributes
    ----------
    key : str
        `ImageLoader.key` of the reference.
    digest : str
        Of the bytes found; that of `Image`.
    height, width : int
        As shown.
    fetched_at : float
        Seconds since 1970, when it was last seen to be this image.
    etag, last_modified : str
        What the server gave to ask again with; empty if nothing.
    immutable : bool
        It cannot change: an upload, or a ``data:`` URL.
    always_ask : bool
        The server wants to be asked each time.
    """

    key: str
    digest: str
    height: int
    width: int
    fetched_at: float
    etag: str = ""
    last_modified: str = ""
    immutable: bool = False
    always_ask: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `ImageLoader.load` found.

    Attributes
    ----------
    identity : ImageIdentity
        To be kept under its key, if it is not the known one.
    image : Image or None
        None if it is the image of the known identity; always there where none was given.
    """

    identity: ImageIdentity
    image: Image | None


class ImageLoader:
    """Loads images. Safe to share between threads.

    An image behind a URL may change without a word. So what was found is trusted for `recheck_s`, then the server is
    asked again, conditionally if it gave anything to do so with. ``no-cache``, ``no-store`` and ``max-age=0`` mean
    asking each time; a longer ``max-age`` is not believed, for a wrong mask costs more than a request. Uploads to Label
    Studio never change.

    Parameters
    ----------
    client : StudioClient
        How images are got.
    limits : ImageLimits
        How large they may be.
    recheck_s : float
        Seconds for which an identity is trusted.
    now : callable
        Seconds since 1970.
    clock : callable
        Gives a context that times a step by its name, ``fetch`` or ``decode``.
    """

    def __init__(
        self,
        client: StudioClient,
        limits: ImageLimits | None = None,
        recheck_s: float = 10.0,
        now: Callable[[], float] = time.time,
        clock: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._client = client
        self._limits = limits or ImageLimits()
        self._recheck_s = recheck_s
        self._now = now
        self._clock = clock

    def key(self, reference: str, task_id: int | str, studio: Studio) -> str:
        """Name the place an image is at, without asking anybody.

        The name holds Label Studio's origin, so that the same path at two hosts is two places, and, for images that
        need credentials, which those are: what one token or password opened is not known to another.

        Raises
        ------
        ImageError, StudioError
            As `prebrush.client.locate`.
        """
        if is_data_url(reference):
            return _hash(["data", reference])
        return _key_of(locate(reference, task_id, studio), studio)

    def load(
        self,
        reference: str,
        task_id: int | str,
        studio: Studio,
        known: ImageIdentity | None = None,
        *,
        recheck_s: float | None = None,
        timeout_s: float = math.inf,
    ) -> Loaded:
        """Load an image, or find that it is the known one.

        Parameters
        ----------
        reference : str
            The value in the task's data.
        task_id : int or str
            The task's number, which Label Studio wants for images in cloud storage.
        studio : Studio
            The project's Label Studio.
        known : ImageIdentity or None
            What was found last time; None always gives the image.
        recheck_s : float or None
            Seconds for which `known` is trusted; None takes the loader's own.
        timeout_s : float
            Seconds for fetching, if fewer than the fetcher's limit.

        Raises
        ------
        ImageNotFound, ImageForbidden, ImageTooLarge, ImageUnreadable, ImageUnreachable
            It cannot be had.
        StudioError
            What was told as Label Studio's address is none.
        """
        if is_data_url(reference):
            return self._load_data_url(reference, known)
        location = locate(reference, task_id, studio)
        key = _key_of(location, studio)
        if known is not None and known.key != key:
            known = None
        if known is not None and self._is_fresh(known, self._recheck_s if recheck_s is None else recheck_s):
            return Loaded(known, None)
        asked_at = self._now()
        with self._clock("fetch"):
            fetched = self._client.get(
                location, studio, max_bytes=self._limits.max_bytes, headers=_conditions(known), timeout_s=timeout_s
            )
        if known is not None and fetched.status == 304:
            # a 304 may leave out what has not changed
            always_ask = _wants_asking(fetched) if fetched.cache_control else known.always_ask
            return Loaded(replace(known, fetched_at=asked_at, always_ask=always_ask), None)
        digest = _digest(fetched.body)
        is_same = known is not None and known.digest == digest
        image = None if is_same else self._decode(fetched.body, digest, location.shown)
        sized: Image | ImageIdentity | None = image or known
        if sized is None:
            raise AssertionError("an image that is not decoded is a known one")
        identity = ImageIdentity(
            key,
            digest,
            sized.height,
            sized.width,
            asked_at,
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            immutable=location.immutable,
            always_ask=_wants_asking(fetched),
        )
        return Loaded(identity, image)

    def _load_data_url(self, reference: str, known: ImageIdentity | None) -> Loaded:
        key = _hash(["data", reference])
        if known is not None and known.key == key:
            return Loaded(known, None)
        body = decode_data_url(reference, self._limits.max_bytes)
        image = self._decode(body, _digest(body), show_reference(reference))
        return Loaded(ImageIdentity(key, image.digest, image.height, image.width, self._now(), immutable=True), image)

    def _decode(self, body: bytes, digest: str, shown: str) -> Image:
        try:
            with self._clock("decode"):
                return Image(decode_image(body, self._limits), digest)
        except ImageError as error:
            raise type(error)(f"{shown}: {error}") from error

    def _is_fresh(self, known: ImageIdentity, recheck_s: float) -> bool:
        if known.immutable:
            return True
        # a clock that was set back makes the age negative, and the identity worth nothing
        return not known.always_ask and 0 <= self._now() - known.fetched_at < recheck_s


def _key_of(location: Location, studio: Studio) -> str:
    secrets = [studio.api_key, studio.setup_token] if location.on_studio else []
    if location.on_studio and studio.login:
        secrets.append(_stretch(f"{studio.login}:{studio.password}", str(location.urls[0].origin)))
    return _hash(["url", *map(str, location.urls), *secrets])


@functools.lru_cache(maxsize=256)
def _stretch(password: str, salt: str) -> str:
    """Hash a password slowly: tokens are long and random, but whoever reads the storage could guess a password."""
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.pbkdf2_hmac("sha256", secret, salt.encode(), PASSWORD_ROUNDS).hex()


def _hash(parts: list[str]) -> str:
    return _digest(json.dumps(parts).encode())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGEST_CHARACTERS]


def _conditions(known: ImageIdentity | None) -> Mapping[str, str]:
    if known is None:
        return {}
    headers = {"If-None-Match": known.etag}
    if _is_settled(known):
        headers["If-Modified-Since"] = known.last_modified
    return {name: value for name, value in headers.items() if value}


def _is_settled(known: ImageIdentity) -> bool:
    """Tell whether the date of change can be asked with.

    It counts whole seconds: a file written twice in one keeps it. So it must lie well before the time of fetching, by
    the minute that RFC 9110, section 8.8.2.2, asks for.
    """
    try:
        changed = parsedate_to_datetime(known.last_modified).timestamp()
    except (ValueError, OverflowError, TypeError):
        return False
    return known.fetched_at - changed >= SETTLED_S


def _wants_asking(fetched: Fetched) -> bool:
    directives = {part.strip().lower() for part in fetched.cache_control.split(",")}
    return not directives.isdisjoint({"no-cache", "no-store", "max-age=0"})
