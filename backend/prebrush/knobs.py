"""How a knob is declared and its values are checked: of methods, of settings, of rules. Imports nothing heavy."""

import dataclasses
import difflib
import math
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeVar, cast, get_type_hints

from prebrush.errors import InvalidParams

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Knob:
    """One parameter: of a method, of the clean-up, of a rule, or a setting of the server.

    Attributes
    ----------
    name : str
    kind : type
        bool, int, float or str.
    default : bool, int, float or str
    low, high : float or None
        Least and greatest value, both allowed; None for no bound.
    choices : tuple of str
        The values that a text may have; empty for any.
    unit : str
        For tables and messages. ``px`` and ``px²`` of a method are scaled with the image; see `segmentation.scaling`.
    help : str
        One sentence, shown in the playground, on the command line and in the documents.
    up_to : str
        Name of another knob that this one must not exceed; empty for none.
    instead_of : str
        Name of another knob that is ignored where this one is set; giving both is an error. Empty for none.
    unset : float or None
        The value that stands for "not set", such as -1 for "choose by the image".
    counts_segments : bool
        Whether its value is the number of segments asked for: then the clean-up keeps as many.
    """

    name: str
    kind: type
    default: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    unit: str
    help: str
    up_to: str = ""
    instead_of: str = ""
    unset: float | None = None
    counts_segments: bool = False

    def parse(self, value: object) -> Any:
        """Turn a value from a tag, a JSON object or the command line into the knob's type.

        Raises
        ------
        InvalidParams
            The value has the wrong type or is out of range; the message names knob, value and range.
        """
        try:
            parsed = _convert(value, self.kind)
        except (TypeError, ValueError, OverflowError):
            raise InvalidParams(f"{self.name}={show(value)} is not {self.expected()}") from None
        if self.choices and parsed not in self.choices:
            raise InvalidParams(f"{self.name}={show(value)} is not {self.expected()}")
        below = self.low is not None and parsed < self.low
        above = self.high is not None and parsed > self.high
        if below or above:
            raise InvalidParams(f"{self.name}={show(value)} is out of range: {self.expected()}")
        return parsed

    def expected(self) -> str:
        """Describe the values the knob takes, for messages and tables."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind is bool:
            return "true or false"
        noun = {int: "a whole number", float: "a number", str: "text"}[self.kind]
        unit = f" {self.unit}" if self.unit else ""
        if self.low is not None and self.high is not None:
            limit = f", {self.up_to} at most" if self.up_to else ""
            return f"{noun} from {self.low:g} to {self.high:g}{unit}{limit}"
        return noun + unit


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def show(value: object) -> str:
    """Write a value of somebody else's for a message, cut short: it may have megabytes."""
    return _SHORT.repr(value)


def _convert(value: object, kind: type) -> Any:
    """Convert without surprises: no number from a bool, no 2 from 2.5, no NaN."""
    if kind is bool:
        if isinstance(value, bool):
            return value
        words = {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
        }
        return words[value.strip().lower()] if isinstance(value, str) and value.strip().lower() in words else _refuse()
    if kind is str:
        return value.strip() if isinstance(value, str) else _refuse()
    if isinstance(value, bool) or not isinstance(value, Real | str):
        _refuse()
    number = float(cast("float", value))
    if not math.isfinite(number):
        _refuse()
    if kind is int:
        return int(number) if number.is_integer() else _refuse()
    return number


def _refuse() -> Any:
    raise ValueError


def param(
    default: Any,
    *,
    help: str,  # noqa: A002  the word every reader of a knob's table expects
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    unit: str = "",
    up_to: str = "",
    instead_of: str = "",
    unset: float | None = None,
    counts_segments: bool = False,
) -> Any:
    """Declare a knob as the default of a field in a method's ``Params`` dataclass; see `Knob`."""
    shown = {"help": help, "low": low, "high": high, "choices": choices, "unit": unit}
    rules = {"up_to": up_to, "instead_of": instead_of, "unset": unset, "counts_segments": counts_segments}
    return dataclasses.field(default=default, metadata={**shown, **rules})


def knobs_of(params_class: type[Any]) -> tuple[Knob, ...]:
    """List the knobs that a dataclass declares with ``param()``, in order."""
    types = get_type_hints(params_class)
    return tuple(
        Knob(name=field.name, kind=types[field.name], default=field.default, **field.metadata)
        for field in dataclasses.fields(params_class)
    )


def parse_knobs(params_class: type[P], values: Mapping[str, object], owner: str) -> P:
    """Make the dataclass from raw values.

    Raises
    ------
    InvalidParams
        A name is unknown (the nearest one is named), a value does not fit, or two that are given contradict each
        other. A knob that is not given follows the one that is.
    """
    knobs = {knob.name: knob for knob in knobs_of(params_class)}
    for name in values:
        if name not in knobs:
            near = difflib.get_close_matches(name[:80], knobs, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has: {', '.join(knobs) or 'none'}"
            raise InvalidParams(f"{owner} has no parameter {show(name)}{hint}")
    try:
        parsed = {name: knobs[name].parse(value) for name, value in values.items()}
        for knob in knobs.values():
            _check_alternatives(knob, knobs, parsed)
            _check_order(knob, knobs, parsed)
        return params_class(**parsed)
    except InvalidParams as error:
        raise InvalidParams(f"{owner}: {error}") from None


def join_knobs(params_class: type[Any], levels: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """Merge raw values from several levels, the weakest first: stronger levels override weaker ones.

    Of two knobs that exclude each other (`Knob.instead_of`), the one that a stronger level sets removes the other.
    """
    knobs = {knob.name: knob for knob in knobs_of(params_class)}
    pairs = [(knob, knobs[knob.instead_of]) for knob in knobs.values() if knob.instead_of]
    joined: dict[str, object] = {}
    for level in levels:
        for one, other in pairs:
            here, there = _is_set(one, level), _is_set(other, level)
            if here != there:
                joined.pop(other.name if here else one.name, None)
        joined.update(level)
    return joined


def _is_set(knob: Knob, values: Mapping[str, object]) -> bool:
    """Tell whether a knob has a raw value other than `Knob.unset`; one that cannot be parsed counts as set."""
    try:
        return knob.name in values and knob.parse(values[knob.name]) != knob.unset
    except InvalidParams:
        return True


def _check_alternatives(knob: Knob, knobs: Mapping[str, Knob], values: Mapping[str, Any]) -> None:
    """Refuse a knob that is set beside the one whose place it takes."""
    if knob.instead_of and _is_set(knob, values) and _is_set(knobs[knob.instead_of], values):
        other = knob.instead_of
        raise InvalidParams(
            f"{knob.name}={values[knob.name]:g} and {other}={values[other]:g} exclude each other: leave one of them out"
        )


def _check_order(knob: Knob, knobs: Mapping[str, Knob], values: dict[str, Any]) -> None:
    """Refuse a knob above its upper end; where only one of the two is given, the other one's default makes way."""
    if not knob.up_to:
        return
    upper = knobs[knob.up_to]
    low, high = values.get(knob.name, knob.default), values.get(upper.name, upper.default)
    if low == knob.unset or high == upper.unset or low <= high:
        return
    if _is_set(knob, values) and _is_set(upper, values):
        raise InvalidParams(f"{knob.name}={low:g} is above {upper.name}={high:g}: it must be {upper.name} at most")
    values[knob.name] = values[upper.name] = low if _is_set(knob, values) else high
