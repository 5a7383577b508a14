"""A labeling config and the settings, resolved to a plan: method, label rule and prompt method of each control tag.

The plan also gives the model version. Which of several settings wins is written in `recipes`. Nothing here touches an
image.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prebrush.datatypes import Control
from prebrush.errors import InvalidLabelConfig
from prebrush.images import DECODING_VERSION
from prebrush.labelstudio.config import LabelConfig
from prebrush.labelstudio.result import ENCODING_VERSION
from prebrush.naming import NAMING_VERSION, LabelRule, find_unmatched
from prebrush.recipes import (
    PromptRule,
    Recipe,
    canonical,
    check_choice,
    merged,
    method_of,
    recipe_for_marks,
    resolve,
    short_hash,
    sort_knobs,
)
from prebrush.segmentation.method import parse_knobs
from prebrush.settings import Settings


@dataclass(frozen=True, slots=True)
class ControlPlan:
    """How one control tag is served.

    Attributes
    ----------
    control : Control
    recipe : Recipe
        Segments the whole image.
    rule : LabelRule
        Gives each segment its label.
    marks : Recipe
        Answers clicks, boxes and scribbles.
    prompts : PromptRule
        Whether marks refine what is there, and whether images are prepared for them.
    """

    control: Control
    recipe: Recipe
    rule: LabelRule
    marks: Recipe
    prompts: PromptRule


@dataclass(frozen=True, slots=True)
class Plan:
    """How a labeling config is served with the settings in force."""

    controls: tuple[ControlPlan, ...]
    model_version: str
    fingerprint: str = ""
    """The text whose hash is in `model_version`."""
    problem: str = ""
    """Why the config cannot be served, and what to add; empty where it can."""
    doubts: tuple[str, ...] = ()
    """Warnings: what is served, but probably not as it was meant, each with what to change."""

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


def build_plan(
    config: LabelConfig,
    settings: Settings,
    project: str,
    extra: Mapping[str, Any],
    saved: Mapping[str, Any] | None = None,
) -> Plan:
    """Resolve every control of a labeling config.

    Parameters
    ----------
    config : LabelConfig
    settings : Settings
    project : str
        As Label Studio sends it, ``"<id>.<unix time>"``, or only the number.
    extra : mapping
        The connection's extra parameters: ``method``, ``params``, ``regions``, ``labels``.
    saved : mapping or None
        The same, as saved for the project in the playground.

    Raises
    ------
    UnknownMethod, InvalidParams
        A setting does not fit; the message names it.
    """
    number = project.partition(".")[0]
    shared = [
        check_choice("extra parameters", extra),
        check_choice("the setting saved in the playground", saved or {}),
        settings.projects.get(number, {}),
        settings.default,
    ]
    plans = tuple(_plan_control(control, shared) for control in config.controls)
    name = plans[0].recipe.method.name if plans else method_of(shared)
    parts = [[_control_part(plan.control), plan.recipe.fingerprint, plan.rule.fingerprint] for plan in plans]
    fingerprint = canonical([DECODING_VERSION, NAMING_VERSION, ENCODING_VERSION, parts])
    version = f"prebrush-{name}-{short_hash(fingerprint)}"
    return Plan(plans, version, fingerprint, "" if plans else config.why_unserved(), _find_doubts(plans))


def check_choices(settings: Settings) -> None:
    """Resolve the settings' own choices of method, for every project that has one, as a plan would.

    Raises
    ------
    UnknownMethod, InvalidParams
        One does not fit; the message names it.
    """
    for number in ("", *settings.projects):
        owner = f"config.yaml, projects.{number}" if number else "config.yaml, default"
        levels = [check_choice(owner, level) for level in (settings.projects.get(number, {}), settings.default)]
        parse_knobs(LabelRule, merged(levels, "labels"), owner=f"{owner}: labels")
        parse_knobs(PromptRule, merged(levels, "prompts"), owner=f"{owner}: prompts")
        resolve(levels, owner, ())


def unusable_plan(source: str, problem: str) -> Plan:
    """Stand in for a config that cannot even be read: a version that is stable for it, and the reason."""
    return Plan((), f"prebrush-none-{short_hash(source)}", problem=problem)


def _plan_control(control: Control, shared: Sequence[Mapping[str, Any]]) -> ControlPlan:
    levels = [sort_knobs(control.params), *shared]
    owner = f"tag {control.from_name!r}"
    rule = parse_knobs(LabelRule, merged(levels, "labels"), owner=f"{owner}, labels")
    is_complete = not control.labels_key
    if is_complete and control.labels:
        rule.check_labels(control.labels)
    recipe = resolve(levels, owner, control.labels, is_complete=is_complete)
    prompts = parse_knobs(PromptRule, merged(levels, "prompts"), owner=f"{owner}, prompts")
    return ControlPlan(control, recipe, rule, recipe_for_marks(recipe, prompts.method), prompts)


def _find_doubts(plans: Sequence[ControlPlan]) -> tuple[str, ...]:
    found = ((plan.control.from_name, find_unmatched(plan.control.labels, plan.recipe.method)) for plan in plans)
    return tuple(f"tag {name!r}: {doubt}" for name, doubt in found if doubt)


def _control_part(control: Control) -> list[Any]:
    """List all of a control but the raw attributes, which the recipe and the rule stand for."""
    return [getattr(control, field.name) for field in dataclasses.fields(control) if field.name != "params"]
