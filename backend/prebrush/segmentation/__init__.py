"""The core: arrays in, label maps out.

Code in this folder may never touch Flask, Redis, HTTP, files, the clock or the environment.
A new method is one file in ``methods/``; it is found by listing that folder.
"""

import dataclasses
import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from prebrush.errors import UnknownMethod
from prebrush.segmentation import methods
from prebrush.segmentation.method import Method, show


def _find_methods() -> dict[str, Method[Any]]:
    """Import every module of ``methods/`` and take its METHOD, named after the module."""
    found = {}
    for info in sorted(pkgutil.iter_modules(methods.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{methods.__name__}.{info.name}")
        found[info.name] = dataclasses.replace(module.METHOD, name=info.name)
    return found


METHODS: Mapping[str, Method[Any]] = MappingProxyType(_find_methods())
"""Every method by name."""


DEFAULT_METHOD = "auto"
"""For a project that nobody tuned."""


def get_method(name: str) -> Method[Any]:
    """Look a method up.

    Raises
    ------
    UnknownMethod
        No method has that name; the message names the nearest one.
    """
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name[:80], METHODS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the methods are: {', '.join(METHODS)}"
    raise UnknownMethod(f"there is no method {show(name)}; {hint}")
