"""What a labeling config comes to: method, knobs, clean-up and label rule of each control, and the model version.

Precedence, first wins: attributes on the control tag, the connection's extra parameters, ``projects.<id>`` in
config.yaml, ``default`` in config.yaml, built-in defaults. Nothing here touches an image.
"""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from prebrush.datatypes import Control, Label
from prebrush.errors import InvalidLabelConfig, InvalidParams
from prebrush.labelstudio.config import LabelConfig
from prebrush.naming import LabelRule, wanted_classes
from prebrush.segmentation import DEFAULT_METHOD, METHODS, get_method
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.method import Method, knobs_of, parse_knobs
from prebrush.segmentation.pipeline import PIPELINE_VERSION
from prebrush.settings import CHOICE_KEYS, Settings

LABEL_PREFIX = "label_"
"""On a tag, the label rule's knobs carry this prefix: ``model_label_rule``, ``model_label_bounds``."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the pixels of one label map."""

    method: Method[Any]
    params: Any
    cleanup: Cleanup
    classes: tuple[str, ...] | None
    """Classes that some label wants, sorted; None for all."""

    @property
    def fingerprint(self) -> str:
        """A text that is equal exactly where the pixels would be equal, for the same image."""
        return _canonical(
            [
                PIPELINE_VERSION,
                self.method.name,
                self.method.version,
                dataclasses.asdict(self.params),
                dataclasses.asdict(self.cleanup),
                self.classes,
            ]
        )


@dataclass(frozen=True, slots=True)
class ControlPlan:
    """One control, how its segments are made and how they are named."""

    control: Control
    recipe: Recipe
    rule: LabelRule


@dataclass(frozen=True, slots=True)
class Plan:
    """What a labeling config and its settings come to."""

    controls: tuple[ControlPlan, ...]
    model_version: str
    fingerprint: str = ""
    """What `model_version` is short for."""
    problem: str = ""
    """Why the config cannot be served, and what to add; empty where it can."""

    def require_controls(self) -> tuple[ControlPlan, ...]:
        """Return the controls.

        Raises
        ------
        InvalidLabelConfig
            There are none; the message says what to add.
        """
        if not self.controls:
            raise InvalidLabelConfig(self.problem)
        return self.controls


def build_plan(config: LabelConfig, settings: Settings, project: str, extra: Mapping[str, Any]) -> Plan:
    """Resolve every control of a labeling config.

    Parameters
    ----------
    config : LabelConfig
    settings : Settings
    project : str
        As Label Studio sends it, ``"<id>.<unix time>"``, or only the number.
    extra : mapping
        The connection's extra parameters: ``method``, ``params``, ``regions``, ``labels``.

    Raises
    ------
    UnknownMethod, InvalidParams
        A setting does not fit; the message names it.
    """
    number = project.partition(".")[0]
    shared = [check_choice("extra parameters", extra), settings.projects.get(number, {}), settings.default]
    plans = tuple(_plan_control(control, shared) for control in config.controls)
    name = plans[0].recipe.method.name if plans else _method_of(shared)
    parts = [[_control_part(plan.control), plan.recipe.fingerprint, dataclasses.asdict(plan.rule)] for plan in plans]
    fingerprint = _canonical(parts)
    version = f"prebrush-{name}-{short_hash(fingerprint)}"
    return Plan(plans, version, fingerprint, problem="" if plans else config.why_unserved())


def unusable_plan(source: str, problem: str) -> Plan:
    """Stand in for a config that cannot even be read: a version that is stable for it, and the reason."""
    return Plan((), f"prebrush-none-{short_hash(source)}", problem=problem)


def check_choice(owner: str, choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check the shape of extra parameters.

    Raises
    ------
    InvalidParams
        A key is unknown or a section is not an object.
    """
    for key, value in choice.items():
        if key not in CHOICE_KEYS:
            raise InvalidParams(f"{owner} may hold {', '.join(CHOICE_KEYS)}; there is no {key!r}")
        if key != "method" and value is not None and not isinstance(value, Mapping):
            raise InvalidParams(f"{owner}: {key} must be an object such as {{...}}, not {type(value).__name__}")
    return choice


def short_hash(text: str) -> str:
    """Return 8 hex digits of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def build_recipe(choice: Mapping[str, Any], owner: str = "the choice", labels: Sequence[Label] = ()) -> Recipe:
    """Resolve one choice of method, params and regions, without a labeling config.

    Raises
    ------
    UnknownMethod, InvalidParams
        A setting does not fit; the message names it.
    """
    return _resolve([check_choice(owner, choice)], owner, labels)


def choose_methods(names: str | None) -> tuple[str, ...]:
    """Read method names separated by commas, as on a command line; None is all of them.

    Raises
    ------
    UnknownMethod, InvalidParams
        A name is unknown, or there is none.
    """
    if names is None:
        return tuple(METHODS)
    chosen = tuple(dict.fromkeys(name for name in map(str.strip, names.split(",")) if name))
    if not chosen:
        raise InvalidParams(f"name at least one method, of {', '.join(METHODS)}")
    return tuple(get_method(name).name for name in chosen)


def sort_knobs(values: Mapping[str, Any]) -> dict[str, Any]:
    """Sort flat ``name: value`` pairs, as on a tag or a command line, into a choice by what they set."""
    cleanup = {knob.name for knob in knobs_of(Cleanup)}
    rule = {LABEL_PREFIX + knob.name for knob in knobs_of(LabelRule)}
    choice: dict[str, Any] = {"params": {}, "regions": {}, "labels": {}}
    for name, value in values.items():
        if name == "method":
            choice["method"] = value
        elif name in cleanup:
            choice["regions"][name] = value
        elif name in rule:
            choice["labels"][name.removeprefix(LABEL_PREFIX)] = value
        else:
            choice["params"][name] = value
    return choice


def _plan_control(control: Control, shared: Sequence[Mapping[str, Any]]) -> ControlPlan:
    levels = [sort_knobs(control.params), *shared]
    owner = f"tag {control.from_name!r}"
    rule = parse_knobs(LabelRule, _merged(levels, "labels"), owner=f"{owner}, labels")
    return ControlPlan(control, _resolve(levels, owner, control.labels), rule)


def _resolve(levels: Sequence[Mapping[str, Any]], owner: str, labels: Sequence[Label]) -> Recipe:
    """Merge the levels, nearest first, into one recipe."""
    name = _method_of(levels)
    method = get_method(name)
    params = parse_knobs(method.params_class, _params_for(name, levels), owner=f"{owner}: method {name}")
    regions = {"max_regions" if key == "max" else key: value for key, value in _merged(levels, "regions").items()}
    cleanup = parse_knobs(Cleanup, regions, owner=f"{owner}: regions")
    wanted = wanted_classes(labels)
    return Recipe(method, params, cleanup, None if wanted is None else tuple(sorted(wanted)))


def _method_of(levels: Sequence[Mapping[str, Any]]) -> str:
    for level in levels:
        if level.get("method"):
            return str(level["method"])
    return DEFAULT_METHOD


def _params_for(method: str, levels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the knobs, leaving out those that a level meant for another method."""
    merged: dict[str, Any] = {}
    for position in reversed(range(len(levels))):
        if _method_of(levels[position:]) == method:
            merged.update(levels[position].get("params") or {})
    return merged


def _merged(levels: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for level in reversed(levels):
        merged.update(level.get(key) or {})
    return merged


def _control_part(control: Control) -> list[Any]:
    """List what of a control shows in its predictions."""
    labels = [[label.name, label.predicted_values] for label in control.labels]
    return [control.from_name, control.to_name, control.tag, control.data_key, control.is_list, labels,
            control.labels_key, control.labels_from]  # fmt: skip


def _canonical(value: Any) -> str:
    text: str = msgspec.json.encode(value, order="sorted").decode()
    return text
