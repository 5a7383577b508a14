"""How the compiled loops of this folder are declared."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile without the interpreter lock, so that requests in other threads go on; kept on disk between runs."""
    return cast("F", numba.njit(nogil=True, cache=True)(function))


def inlined(function: F) -> F:
    """Compile as a part of its callers: a call with whole arrays takes longer than the few operations in it."""
    return cast("F", numba.njit(nogil=True, cache=True, forceinline=True)(function))
