"""Every method by name: those in ``methods/``, and those that installed packages bring.

A package brings a method through the entry-point group ``prebrush.methods``: the entry's name is the method's, what it
points to is its `Method`. One that cannot be used is left out and logged, and asking for it says why: a package that
breaks must not take the server down.
"""

import dataclasses
import difflib
import importlib
import logging
import pkgutil
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from prebrush.errors import UnknownMethod
from prebrush.segmentation import methods
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.method import Method, knobs_of, show

log = logging.getLogger(__name__)

GROUP = "prebrush.methods"
"""The entry-point group."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _own_methods() -> dict[str, Method[Any]]:
    """Import every module of ``methods/`` and take its METHOD, named after the module."""
    found = {}
    for info in sorted(pkgutil.iter_modules(methods.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{methods.__name__}.{info.name}")
        found[info.name] = dataclasses.replace(module.METHOD, name=info.name)
    return found


def find_methods(entries: Iterable[EntryPoint]) -> tuple[dict[str, Method[Any]], dict[str, str]]:
    """Gather prebrush's own methods and those of the entry points.

    Returns
    -------
    dict of Method
        By name.
    dict of str
        Why an entry point brought none, by its name.
    """
    own = _own_methods()
    brought: dict[str, Method[Any]] = {}
    unusable: dict[str, str] = {}
    for entry in sorted(entries, key=lambda entry: (entry.name, entry.value)):
        package = entry.dist.name if entry.dist else entry.value.partition(":")[0]
        try:
            brought[entry.name] = _load(entry, {**own, **brought}, package)
        except Exception as error:  # noqa: BLE001  whatever a package of somebody else's raises when it is imported
            unusable[entry.name] = f"{package} brings {show(entry.name)}, but {error or type(error).__name__}"
            log.warning("a method is left out: %s", unusable[entry.name])
    return dict(sorted({**own, **brought}.items())), {n: why for n, why in unusable.items() if n not in brought}


def _load(entry: EntryPoint, taken: Mapping[str, Method[Any]], package: str) -> Method[Any]:
    """Load one entry point's method and check what can be checked without an image."""
    if not _NAME.fullmatch(entry.name):
        raise ValueError("a method's name is lower-case letters, digits and underscores, at most 40")
    if entry.name in taken:
        raise ValueError(f"{taken[entry.name].package or 'prebrush'} has a method of that name")
    method = entry.load()
    if not isinstance(method, Method):
        raise TypeError(f"{entry.value} is a {type(method).__name__}, not a prebrush Method")
    named = dataclasses.replace(method, name=entry.name, package=package)
    if not named.summary:
        raise ValueError(f"the module {method.function.__module__} has no docstring to describe it")
    for other in {other for knob in named.knobs for other in (knob.up_to, knob.instead_of) if other}:
        if other not in {knob.name for knob in named.knobs}:
            raise ValueError(f"one of its knobs goes by {show(other)}, which is none of them")
    named.parse_params({})
    named.class_name.format(0)
    for name in {knob.name for knob in named.knobs} & {knob.name for knob in knobs_of(Cleanup)}:
        raise ValueError(f"its knob {name} has the name of one of the clean-up")
    for name in set(named.uses) - set(taken):
        raise ValueError(f"it uses {show(name)}, which is no method")
    return named


_found, _left_out = find_methods(entry_points(group=GROUP))
METHODS: Mapping[str, Method[Any]] = MappingProxyType(_found)
"""Every method by name."""
UNUSABLE: Mapping[str, str] = MappingProxyType(_left_out)
"""Why a method that a package brings cannot be used, by its name."""

DEFAULT_METHOD = "auto"
"""For a project that nobody tuned."""


def get_method(name: str) -> Method[Any]:
    """Look a method up.

    Raises
    ------
    UnknownMethod
        No method has that name; the message names the nearest one, or why a package's cannot be used.
    """
    if name in METHODS:
        return METHODS[name]
    if name in UNUSABLE:
        raise UnknownMethod(UNUSABLE[name])
    near = difflib.get_close_matches(str(name)[:80], METHODS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the methods are: {', '.join(METHODS)}"
    raise UnknownMethod(f"there is no method {show(name)}; {hint}")
