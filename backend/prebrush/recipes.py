"""What segments an image: method, knobs and clean-up, resolved from the levels at which they may be chosen.

Precedence, first wins: attributes on the control tag, the connection's extra parameters, what was saved for the project
in the playground, ``projects.<id>`` in config.yaml, ``default`` in config.yaml, built-in defaults. Nothing here touches
an image.
"""

import dataclasses
import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from prebrush.datatypes import Label
from prebrush.errors import InvalidParams
from prebrush.naming import LabelRule, wanted_classes
from prebrush.segmentation import DEFAULT_METHOD, METHODS, get_method
from prebrush.segmentation.cleanup import Cleanup, suited_knobs
from prebrush.segmentation.method import Method, join_knobs, knobs_of, param, parse_knobs, show
from prebrush.segmentation.pipeline import PIPELINE_VERSION
from prebrush.settings import CHOICE_KEYS

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
        False, help="Marks that touch a region of their label change that region instead of making one more."
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
    free: tuple[str, ...] = ()
    """Knobs of the clean-up that nobody set, for a method that sets them by the image."""

    @property
    def fingerprint(self) -> str:
        """A text that is equal exactly where the pixels would be equal, for the same image."""
        return canonical(
            [
                PIPELINE_VERSION,
                versions_of(self.method),
                dataclasses.asdict(self.params),
                dataclasses.asdict(self.cleanup),
                self.classes,
                *self.free,
            ]
        )


def versions_of(method: Method[Any]) -> dict[str, int]:
    """Return the versions of a method and of all that it is built on, by name."""
    versions = {method.name: method.version}
    for name in method.uses:
        versions |= versions_of(get_method(name))
    return versions


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
    """Return 8 hex digits of a text, for model versions."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def key_hash(*parts: object) -> str:
    """Return 40 hex digits of values, for keys of the cache: equal where they are written alike (`repr`)."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]


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
    return resolve([check_choice(owner, choice), below or {}], owner, ())


def build_rule(
    choice: Mapping[str, Any], owner: str = "the choice", below: Mapping[str, Any] | None = None
) -> LabelRule:
    """Resolve the label rule of a choice; see `build_recipe`."""
    return parse_knobs(
        LabelRule, merged([check_choice(owner, choice), below or {}], "labels"), owner=f"{owner}: labels"
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


def resolve(
    levels: Sequence[Mapping[str, Any]], owner: str, labels: Sequence[Label], *, is_complete: bool = True
) -> Recipe:
    """Merge the levels, nearest first, into one recipe; with incomplete labels, no class can be left out."""
    name = method_of(levels)
    method = get_method(name)
    given = _params_for(name, levels)
    _refuse_misplaced(method, given, f"{owner}: method {name}")
    params = parse_knobs(method.params_class, given, owner=f"{owner}: method {name}")
    asked = max((getattr(params, k.name) for k in method.knobs if k.counts_segments and k.name in given), default=0)
    regions = {"max_regions" if key == "max" else key: value for key, value in merged(levels, "regions").items()}
    suited = suited_knobs(asked=asked, thin=method.thin)
    cleanup = parse_knobs(Cleanup, suited | regions, owner=f"{owner}: regions")
    wanted = wanted_classes(labels) if is_complete else None
    free = () if method.suit is None else tuple(knob.name for knob in knobs_of(Cleanup) if knob.name not in regions)
    return Recipe(method, params, cleanup, None if wanted is None else tuple(sorted(wanted)), free)


def _refuse_misplaced(method: Method[Any], given: Mapping[str, Any], owner: str) -> None:
    """Refuse a knob that is not the method's own but that of another method, or one that every method goes with.

    Raises
    ------
    InvalidParams
        The message says whose it is.
    """
    own = [knob.name for knob in method.knobs]
    section = {knob.name: "regions" for knob in knobs_of(Cleanup)}
    section |= {LABEL_PREFIX + knob.name: "labels" for knob in knobs_of(LabelRule)}
    section |= {PROMPT_PREFIX + knob.name: "prompts" for knob in knobs_of(PromptRule)}
    for name in given:
        near = (
            "max_regions" if name == "max" else next(iter(difflib.get_close_matches(name[:80], [*own, *section])), "")
        )
        having = [other.name for other in METHODS.values() if name in {knob.name for knob in other.knobs}]
        if name in own:
            continue
        if having:
            raise InvalidParams(
                f"{owner} has no parameter {show(name)}; choose a method that has it: {', '.join(having)}"
            )
        if near == name:
            raise InvalidParams(
                f"{owner} has no parameter {show(name)}: it goes under {section[near]}, not under params"
            )
        if near in section:
            raise InvalidParams(f"{owner} has no parameter {show(name)}; did you mean {near}, of the {section[near]}?")


def method_of(levels: Sequence[Mapping[str, Any]]) -> str:
    """Return the method of the nearest level that names one."""
    for level in levels:
        if level.get("method"):
            return str(level["method"])
    return DEFAULT_METHOD


def _params_for(method: str, levels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the knobs, leaving out those that a level meant for another method."""
    meant = [place for place in reversed(range(len(levels))) if method_of(levels[place:]) == method]
    return join_knobs(get_method(method).params_class, (levels[place].get("params") or {} for place in meant))


def merged(levels: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    """Join one section of all levels; the nearest level wins."""
    found: dict[str, Any] = {}
    for level in reversed(levels):
        found.update(level.get(key) or {})
    return found


def canonical(value: Any) -> str:
    """Write a value so that equal ones give equal texts."""
    text: str = msgspec.json.encode(value, order="sorted").decode()
    return text
