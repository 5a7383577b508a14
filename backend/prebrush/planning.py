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
from prebrush.images import DECODING_VERSION
from prebrush.labelstudio.config import LabelConfig
from prebrush.labelstudio.result import ENCODING_VERSION
from prebrush.naming import NAMING_VERSION, LabelRule, wanted_classes
from prebrush.segmentation import DEFAULT_METHOD, METHODS, get_method
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.method import Method, knobs_of, param, parse_knobs, show
from prebrush.segmentation.pipeline import PIPELINE_VERSION
from prebrush.settings import CHOICE_KEYS, Settings

LABEL_PREFIX, PROMPT_PREFIX = "label_", "prompt_"
"""On a tag, the knobs of both rules carry a prefix: ``model_label_rule``, ``model_prompt_method``."""

PROMPT_METHOD = "prompt"
"""What answers marks where nothing else was chosen."""
SUPERPIXELS = {
    "method": "slic",
    "params": {"n_segments": 400},
    "regions": {"instances": "keep", "min_area": 0, "fill_holes": 0, "smoothing": 0, "max": 100_000},
}
"""What a click picks from with ``superpixels``; no pixel is left out."""


@dataclass(frozen=True, slots=True)
class PromptRule:
    """What answers clicks, boxes and scribbles."""

    method: str = param(
        "auto",
        choices=("auto", PROMPT_METHOD, "grabcut", "random_walker", "watershed", "region_growing", "superpixels"),
        help="What answers clicks and boxes; auto is the tag's method if it was chosen and reads clicks, else prompt.",
    )
    refine: bool = param(
        False, help="Marks that touch a brush region of their label change that region instead of making one more."
    )
    prepare: bool = param(True, help="Prepare the image for clicks in the background when a task is opened.")


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
                versions_of(self.method),
                dataclasses.asdict(self.params),
                dataclasses.asdict(self.cleanup),
                self.classes,
            ]
        )


@dataclass(frozen=True, slots=True)
class ControlPlan:
    """One control, how its segments are made and named, and what answers marks on it."""

    control: Control
    recipe: Recipe
    rule: LabelRule
    marks: Recipe
    prompts: PromptRule = PromptRule()


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
    parts = [[_control_part(plan.control), plan.recipe.fingerprint, plan.rule.fingerprint] for plan in plans]
    fingerprint = _canonical([DECODING_VERSION, NAMING_VERSION, ENCODING_VERSION, parts])
    version = f"prebrush-{name}-{short_hash(fingerprint)}"
    return Plan(plans, version, fingerprint, problem="" if plans else config.why_unserved())


def check_choices(settings: Settings) -> None:
    """Resolve the settings' own choices of method, for every project that has one, as a plan would.

    Raises
    ------
    UnknownMethod, InvalidParams
        One does not fit; the message names it.
    """
    for number in ("", *settings.projects):
        levels = [settings.projects.get(number, {}), settings.default]
        owner = f"config.yaml, projects.{number}" if number else "config.yaml, default"
        parse_knobs(LabelRule, _merged(levels, "labels"), owner=f"{owner}: labels")
        parse_knobs(PromptRule, _merged(levels, "prompts"), owner=f"{owner}: prompts")
        _resolve([check_choice(owner, level) for level in levels], owner, ())


def versions_of(method: Method[Any]) -> dict[str, int]:
    """Return the versions of a method and of all that it is built on, by name."""
    versions = {method.name: method.version}
    for name in method.uses:
        versions |= versions_of(get_method(name))
    return versions


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
    if "" in choice:
        raise InvalidParams(
            f'{owner} must be a JSON object, such as {{"method": "kmeans", "params": {{"n_clusters": 4}}}}'
        )
    for key, value in choice.items():
        if key not in CHOICE_KEYS:
            raise InvalidParams(f"{owner} may hold {', '.join(CHOICE_KEYS)}; there is no {show(key)}")
        if key != "method" and value is not None and not isinstance(value, Mapping):
            raise InvalidParams(f"{owner}: {key} must be an object such as {{...}}, not {type(value).__name__}")
    return choice


def short_hash(text: str) -> str:
    """Return 8 hex digits of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def build_recipe(
    choice: Mapping[str, Any], owner: str = "the choice", below: Mapping[str, Any] | None = None
) -> Recipe:
    """Resolve one choice of method, params and regions, without a labeling config.

    Parameters
    ----------
    choice : mapping
        ``method``, ``params``, ``regions``, ``labels``, ``prompts``.
    owner : str
        Whose choice it is, for messages.
    below : mapping or None
        What holds where the choice is silent: the settings' ``default``.

    Raises
    ------
    UnknownMethod, InvalidParams
        A setting does not fit; the message names it.
    """
    return _resolve([check_choice(owner, choice), below or {}], owner, ())


def build_rule(
    choice: Mapping[str, Any], owner: str = "the choice", below: Mapping[str, Any] | None = None
) -> LabelRule:
    """Resolve the label rule of a choice; see `build_recipe`."""
    return parse_knobs(
        LabelRule, _merged([check_choice(owner, choice), below or {}], "labels"), owner=f"{owner}: labels"
    )


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
    marks = {PROMPT_PREFIX + knob.name for knob in knobs_of(PromptRule)}
    choice: dict[str, Any] = {"params": {}, "regions": {}, "labels": {}, "prompts": {}}
    for name, value in values.items():
        if name == "method":
            choice["method"] = value
        elif name in cleanup:
            choice["regions"][name] = value
        elif name in rule:
            choice["labels"][name.removeprefix(LABEL_PREFIX)] = value
        elif name in marks:
            choice["prompts"][name.removeprefix(PROMPT_PREFIX)] = value
        else:
            choice["params"][name] = value
    return choice


def _plan_control(control: Control, shared: Sequence[Mapping[str, Any]]) -> ControlPlan:
    levels = [sort_knobs(control.params), *shared]
    owner = f"tag {control.from_name!r}"
    rule = parse_knobs(LabelRule, _merged(levels, "labels"), owner=f"{owner}, labels")
    is_complete = not control.labels_key
    if is_complete and control.labels:
        rule.check_labels(control.labels)
    recipe = _resolve(levels, owner, control.labels, is_complete=is_complete)
    prompts = parse_knobs(PromptRule, _merged(levels, "prompts"), owner=f"{owner}, prompts")
    return ControlPlan(control, recipe, rule, recipe_for_marks(recipe, prompts.method), prompts)


def recipe_for_marks(recipe: Recipe, method: str = "auto") -> Recipe:
    """Find the recipe that answers marks where ``recipe`` segments the whole image.

    Parameters
    ----------
    recipe : Recipe
    method : str
        As `PromptRule` names it.
    """
    if method == "auto":
        reads_clicks = "points" in recipe.method.prompts and recipe.method.name != DEFAULT_METHOD
        method = recipe.method.name if reads_clicks else PROMPT_METHOD
    if method == recipe.method.name:
        return recipe
    return build_recipe(SUPERPIXELS if method == "superpixels" else {"method": method})


def _resolve(
    levels: Sequence[Mapping[str, Any]], owner: str, labels: Sequence[Label], *, is_complete: bool = True
) -> Recipe:
    """Merge the levels, nearest first, into one recipe; with incomplete labels, no class can be left out."""
    name = _method_of(levels)
    method = get_method(name)
    params = parse_knobs(method.params_class, _params_for(name, levels), owner=f"{owner}: method {name}")
    regions = {"max_regions" if key == "max" else key: value for key, value in _merged(levels, "regions").items()}
    cleanup = parse_knobs(Cleanup, regions, owner=f"{owner}: regions")
    wanted = wanted_classes(labels) if is_complete else None
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
    """List all of a control but the raw attributes, which the recipe and the rule stand for."""
    return [getattr(control, field.name) for field in dataclasses.fields(control) if field.name != "params"]


def _canonical(value: Any) -> str:
    text: str = msgspec.json.encode(value, order="sorted").decode()
    return text
