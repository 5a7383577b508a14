"""The photos people are trying methods on: in memory under their digest, so that each is sent once."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from prebrush.datatypes import Image
from prebrush.errors import ImageNotFound, ImageTooLarge
from prebrush.images import ImageIdentity, ImageLimits, Loaded, decode_image
from prebrush.images.loading import DIGEST_CHARACTERS
from prebrush.pictures import Picture

MOST_BYTES = 320_000_000
"""Of pixels kept: the largest photo of the default limits alone, or some ten of 12 megapixels."""
EXPIRY_S = 900.0
"""A photo nobody asks about for so long is forgotten; the page sends it again if it must."""
DECODED_AT_ONCE = 2
"""Photos that are decoded at the same time, which bounds the memory of many uploads at once."""


class KeptImages:
    """Photos by digest, up to a number of bytes and an age; the one unused longest leaves first. Safe between threads.

    Parameters
    ----------
    limits : ImageLimits
        The same as for the images of tasks.
    most_bytes : int
    expiry_s : float
    now : callable
        A clock in seconds that never goes back.
    """

    def __init__(
        self,
        limits: ImageLimits,
        most_bytes: int = MOST_BYTES,
        expiry_s: float = EXPIRY_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._most_bytes = most_bytes
        self._expiry_s = expiry_s
        self._now = now
        self._kept: OrderedDict[str, tuple[float, Picture]] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding = threading.BoundedSemaphore(DECODED_AT_ONCE)
        self._sweeper: threading.Timer | None = None

    def decode(self, body: bytes) -> Picture:
        """Decode a file that was sent, and keep it.

        Raises
        ------
        ImageTooLarge, ImageUnreadable
            It is no image, or over the limits.
        """
        digest = hashlib.sha256(body).hexdigest()[:DIGEST_CHARACTERS]
        known = self._look_up(digest)
        if known is not None:
            return known
        with self._decoding:
            image = Image(decode_image(body, self._limits), digest)
        identity = ImageIdentity("", digest, image.height, image.width, 0.0, immutable=True)
        loaded = Loaded(identity, image)
        return self.keep(Picture(loaded, lambda: loaded))

    def keep(self, picture: Picture) -> Picture:
        """Keep a picture with its pixels.

        Raises
        ------
        ImageTooLarge
            There is no room for it, even alone.
        ImageError
            Its pixels cannot be had.
        """
        size = picture.pixels.nbytes
        if size > self._most_bytes:
            raise ImageTooLarge(
                f"the image has {picture.width} x {picture.height} pixels; the playground keeps at most "
                f"{self._most_bytes // 3} pixels in memory"
            )
        with self._lock:
            self._kept[picture.digest] = (self._now(), picture)
            self._kept.move_to_end(picture.digest)
            self._sweep()
            while self._bytes() > self._most_bytes:
                self._kept.popitem(last=False)
        return picture

    def find(self, digest: str) -> Picture:
        """Return a photo that was sent before.

        Raises
        ------
        ImageNotFound
            It is not kept any more.
        """
        found = self._look_up(digest)
        if found is None:
            raise ImageNotFound("this photo is not kept any more; send it again")
        return found

    def _look_up(self, digest: str) -> Picture | None:
        with self._lock:
            self._sweep()
            if digest not in self._kept:
                return None
            picture = self._kept[digest][1]
            self._kept[digest] = (self._now(), picture)
            self._kept.move_to_end(digest)
            return picture

    def _bytes(self) -> int:
        return sum(picture.height * picture.width * 3 for _, picture in self._kept.values())

    def _sweep(self) -> None:
        """Drop what is too old, and come back when the next one may be; called with the lock held."""
        while self._kept and self._now() - next(iter(self._kept.values()))[0] >= self._expiry_s:
            self._kept.popitem(last=False)
        if self._kept and self._sweeper is None:
            self._sweeper = threading.Timer(self._expiry_s, self._sweep_later)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep_later(self) -> None:
        with self._lock:
            self._sweeper = None
            self._sweep()
