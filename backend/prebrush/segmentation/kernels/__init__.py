"""Compiled inner loops (numba, without the interpreter lock, cached on disk); each has a plain twin in the tests."""

import importlib
import pkgutil


def warm_all() -> None:
    """Compile every kernel, or load it from numba's cache, by running it once on a tiny input.

    Each module here that has kernels offers ``warm()``. Cost: tens of seconds on the first start of an installation,
    well under a second afterwards. The server calls it at start, so that no request waits for a compiler.
    """
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        warm = getattr(module, "warm", None)
        if warm is not None:
            warm()
