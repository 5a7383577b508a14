"""What the page draws its form from: the methods' own descriptions, and the values this server starts from."""

from collections.abc import Mapping
from typing import Any

from prebrush.naming import LabelRule
from prebrush.overlay import PALETTE
from prebrush.recipes import PromptRule, build_recipe, build_rule, merged
from prebrush.segmentation import METHODS
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.method import Knob, knobs_of, parse_knobs


def describe_form(default: Mapping[str, Any]) -> dict[str, Any]:
    """Describe every method and knob as JSON.

    Parameters
    ----------
    default : mapping
        The settings' ``default``: its values are where the sliders start, because what is copied from the page comes
        on top of it.
    """
    methods = []
    for name, method in METHODS.items():
        params = build_recipe({"method": name}, below=default).params
        knobs = _describe_all(method.params_class, params)
        marks = [kind for kind in method.prompts if kind != "scribble"]
        methods.append({"name": name, "summary": method.summary, "marks": marks, "knobs": knobs})
    recipe = build_recipe({}, below=default)
    prompts = parse_knobs(PromptRule, merged([default], "prompts"), owner="default: prompts")
    return {
        "methods": methods,
        "default": recipe.method.name,
        "palette": ["#{:02x}{:02x}{:02x}".format(*color) for color in PALETTE],
        "regions": _describe_all(Cleanup, recipe.cleanup),
        "labels": _describe_all(LabelRule, build_rule({}, below=default)),
        # what else the rule says is about Label Studio's own editor
        "prompts": [knob for knob in _describe_all(PromptRule, prompts) if knob["name"] == "method"],
    }


def _describe_all(kind: type[Any], values: object) -> list[dict[str, Any]]:
    return [_describe(knob, getattr(values, knob.name)) for knob in knobs_of(kind)]


def _describe(knob: Knob, value: Any) -> dict[str, Any]:
    return {
        "name": knob.name,
        "kind": knob.kind.__name__,
        "default": value,
        "low": knob.low,
        "high": knob.high,
        "choices": knob.choices,
        "unit": knob.unit,
        "help": knob.help,
    }
