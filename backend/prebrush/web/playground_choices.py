"""What a choice says and what it leaves to the server: only what somebody set is told, copied and saved.

What nobody set stays free to suit the method and the image, as the clean-up of lines does.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from prebrush.datatypes import RGBImage
from prebrush.planning import ControlPlan
from prebrush.recipes import PromptRule, build_recipe, build_rule, merged, method_of
from prebrush.segmentation.method import parse_knobs

SECTIONS = ("params", "regions", "labels", "prompts")


def start_of_cleanup(pixels: RGBImage, choice: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the clean-up that is in force where the choice says nothing of it, for the sliders to start from.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
        RGB; a method that chooses by the image looks at it.
    choice : mapping
    default : mapping
        The settings' ``default``.
    """
    recipe = build_recipe(_without_regions(choice), below=default)
    suited = recipe.method.suit(pixels, recipe.params)[1] if recipe.method.suit else {}
    return dataclasses.asdict(recipe.cleanup) | {name: suited[name] for name in recipe.free if name in suited}


def choice_in_force(plan: ControlPlan, default: Mapping[str, Any]) -> dict[str, Any]:
    """Write what is in force for a control as a choice on top of ``default``: only what differs from that alone."""
    recipe = plan.recipe
    start = _starts({"method": recipe.method.name}, default)
    choice: dict[str, Any] = {
        "method": recipe.method.name,
        "params": _differing(dataclasses.asdict(recipe.params), start["params"]),
        "labels": _differing(dataclasses.asdict(plan.rule), start["labels"]),
        "prompts": _differing({"method": plan.prompts.method}, start["prompts"]),
    }
    alone = build_recipe(choice, below=default)
    regions = dataclasses.asdict(recipe.cleanup)
    fixed = {name: regions[name] for name in alone.free if name not in recipe.free}
    return {**choice, "regions": _differing(regions, dataclasses.asdict(alone.cleanup)) | fixed}


def choice_to_save(choice: Mapping[str, Any], below: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a choice what it must say to be in force over a level that it was not made on.

    Parameters
    ----------
    choice : mapping
        What differs from ``default``; nothing is added to one without a method.
    below : mapping
        The level between the two, ``projects.<id>`` of the settings.
    default : mapping
        The settings' ``default``.
    """
    saved = dict(choice)
    if "method" not in choice:
        return saved
    starts = _starts(choice, default)
    for section in SECTIONS:
        if section == "params" and method_of([below, default]) != choice["method"]:
            continue
        named = _plain_names(choice.get(section) or {})
        said = [
            name for name in _plain_names(below.get(section) or {}) if name not in named and name in starts[section]
        ]
        if said:
            saved[section] = {**(choice.get(section) or {}), **{name: starts[section][name] for name in said}}
    return saved


def _starts(choice: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the values of each section where nothing of it was set."""
    recipe = build_recipe({"method": choice["method"]}, below=default)
    shaped = build_recipe(_without_regions(choice), below=default)
    prompts = parse_knobs(PromptRule, merged([default], "prompts"), owner="default: prompts")
    return {
        "params": dataclasses.asdict(recipe.params),
        "regions": dataclasses.asdict(shaped.cleanup),
        "labels": dataclasses.asdict(build_rule({}, below=default)),
        "prompts": dataclasses.asdict(prompts),
    }


def _without_regions(choice: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in choice.items() if key != "regions"}


def _differing(values: Mapping[str, Any], start: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != start[name]}


def _plain_names(values: Mapping[str, Any]) -> set[str]:
    """Return the names of what is set; ``max`` is another word for one of them."""
    return {"max_regions" if name == "max" else name for name in values}
