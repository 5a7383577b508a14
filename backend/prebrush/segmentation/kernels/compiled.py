"""How every compiled kernel is declared, and how arrays are handed to one."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a loop on its first call, without the interpreter lock and cached on disk."""
    return cast("F", numba.njit(nogil=True, cache=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """Compile a piece of a loop into the kernel that calls it: handing over arrays costs more than most pieces do."""
    return cast("F", numba.njit(nogil=True, inline="always", error_model="numpy")(function))


def as_input(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a contiguous, read-only view.

    numba compiles a second version of a kernel for read-only arrays. Images and label maps are read-only everywhere in
    the product, so all inputs are handed over read-only and one version is enough.
    """
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
