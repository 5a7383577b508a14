"""The images of tasks, fetched only when their pixels are needed: a digest is often all a prediction takes."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from prebrush.client import Studio, StudioClient
from prebrush.datatypes import RGBImage
from prebrush.errors import ImageError, ImageNotFound, StudioError
from prebrush.fetching import AllowList, Fetcher, FetchLimits
from prebrush.images import ImageIdentity, ImageLimits, ImageLoader, Loaded
from prebrush.measures import Measures
from prebrush.projects import ProjectState
from prebrush.settings import Settings
from prebrush.storage import Storage


@dataclass(frozen=True, slots=True)
class Account:
    """What a project's `/setup` and the request itself told of Label Studio."""

    state: ProjectState
    login: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def fingerprint(self) -> str:
        """A hash that differs where another image could be reached; it gives nothing away."""
        told = "\x1f".join((self.state.hostname, self.state.token, self.login, self.password))
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


class Picture:
    """One image of a task: what it is, at once; its pixels, when somebody asks."""

    def __init__(self, loaded: Loaded, load: Callable[[], Loaded]) -> None:
        self._identity = loaded.identity
        self._image = loaded.image
        self._load = load
        self._lock = threading.Lock()

    @property
    def digest(self) -> str:
        """Hex digest of the file: equal digests are equal images."""
        return self._identity.digest

    @property
    def height(self) -> int:
        """Rows, as the browser shows it."""
        return self._identity.height

    @property
    def width(self) -> int:
        """Columns, as the browser shows it."""
        return self._identity.width

    @property
    def is_decoded(self) -> bool:
        """Whether the pixels are at hand."""
        return self._image is not None

    def release(self) -> None:
        """Let go of the pixels; they are fetched again if somebody asks."""
        with self._lock:
            self._image = None

    @property
    def pixels(self) -> RGBImage:
        """The image, uint8 (H, W, 3), RGB; fetched where that has not happened yet.

        Raises
        ------
        ImageError
            It cannot be had any more, or is another one by now.
        """
        with self._lock:
            if self._image is None:
                image = self._load().image
                if image is None or image.digest != self.digest:
                    raise ImageNotFound("the image changed while it was being worked on; ask again")
                self._image = image
            return self._image.pixels


class Pictures:
    """Opens images by the address in a task; what was found behind an address is kept in the storage."""

    def __init__(self, settings: Settings, storage: Storage, measures: Measures) -> None:
        self._settings = settings
        self._storage = storage
        self._measures = measures
        self._loader = ImageLoader(build_studio_client(settings), image_limits(settings), clock=measures.clock)

    def open(self, address: str, task_id: int | str, account: Account, *, stored: bool) -> Picture:
        """Find out which image is behind an address.

        Parameters
        ----------
        stored : bool
            The prediction will be stored: ask whether the image changed. Else, while a person clicks, it is trusted for
            ``images.recheck_s``.

        Raises
        ------
        ImageError, StudioError
            It cannot be had; the message says why and what to change.
        """
        studio = build_studio(self._settings, account)
        key = f"image:{self._loader.key(address, task_id, studio)}"
        known = self._recall(key)
        recheck_s = 0.0 if stored else self._settings.images.recheck_s
        with self._counting_failures():
            loaded = self._loader.load(address, task_id, studio, known, recheck_s=recheck_s)
        if loaded.identity != known:
            self._storage.put(key, msgspec.json.encode(loaded.identity))

        def load_again() -> Loaded:
            with self._counting_failures():
                return self._loader.load(address, task_id, studio)

        return Picture(loaded, load_again)

    @contextmanager
    def _counting_failures(self) -> Iterator[None]:
        try:
            yield
        except (ImageError, StudioError) as error:
            self._measures.count_image_failure(error)
            raise

    def _recall(self, key: str) -> ImageIdentity | None:
        packed = self._storage.get(key)
        if packed is None:
            return None
        try:
            return msgspec.json.decode(packed, type=ImageIdentity)
        except msgspec.DecodeError:
            return None


def build_studio_client(settings: Settings) -> StudioClient:
    """Join what the settings say of fetching."""
    images = settings.images
    limits = FetchLimits(timeout_s=images.timeout_s, max_redirects=images.max_redirects)
    allowed = AllowList.parse(images.allowed_hosts, allow_public=images.allow_public)
    return StudioClient(Fetcher(limits, allowed))


def build_studio(settings: Settings, account: Account) -> Studio:
    """Join what the operator and the project's `/setup` told of Label Studio."""
    told = settings.label_studio
    return Studio(
        url=told.url,
        api_key=told.api_key,
        setup_host=account.state.hostname,
        setup_token=account.state.token,
        login=account.login,
        password=account.password,
        trust_setup_host=told.trust_setup_host,
    )


def image_limits(settings: Settings) -> ImageLimits:
    """Return the bounds on an image."""
    return ImageLimits(max_bytes=settings.images.max_bytes, max_pixels=settings.images.max_pixels)
