"""What several answers about one image have in common, kept between them where somebody keeps it.

A slider changes one knob, and most of a method's work does not depend on that one. A method names such a piece of work
by calling it through `stage`. Without a keeper that is a plain call: nothing outlives an answer by itself.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

import numpy as np

from prebrush.datatypes import RGBImage

R = TypeVar("R")


class Keeper(Protocol):
    """Where results are kept by a key; it may forget any of them."""

    def get(self, key: str, /) -> Any | None:
        """Return a result, or None."""

    def put(self, key: str, value: Any, /) -> object:
        """Keep a result."""


_keeper: ContextVar[Keeper | None] = ContextVar("keeper", default=None)


@contextmanager
def kept_by(keeper: Keeper) -> Iterator[None]:
    """Let a keeper have the stages of what is segmented in this context."""
    token = _keeper.set(keeper)
    try:
        yield
    finally:
        _keeper.reset(token)


def stage(make: Callable[..., R], image: RGBImage, *knobs: Any) -> R:
    """Return ``make(image, *knobs)``, or what that gave before.

    Parameters
    ----------
    make : callable
        A function of its arguments alone, that of a module and not a closure. Nobody may change what it returned.
    image : uint8 (H, W, 3)
        Known again by its content, at 2 ms a megapixel.
    *knobs
        Known again by their ``repr``.
    """
    keeper = _keeper.get()
    if keeper is None:
        return make(image, *knobs)
    content = hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()
    key = f"{make.__module__}.{make.__qualname__}/{image.shape}/{content}/{knobs!r}"
    # in a tuple, so that a result of None is one
    found: tuple[R] | None = keeper.get(key)
    if found is None:
        found = (make(image, *knobs),)
        keeper.put(key, found)
    return found[0]


def are_kept() -> bool:
    """Tell whether results are kept, so that whoever overwrites one must copy it first."""
    return _keeper.get() is not None


def bytes_of(result: Any) -> int:
    """Bytes of the arrays of a result: an array, or a tuple, in a tuple maybe, with arrays among other things."""
    if isinstance(result, tuple):
        return sum(bytes_of(part) for part in result)
    return result.nbytes if isinstance(result, np.ndarray) else 0
