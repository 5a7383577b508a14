"""Methods over a data set: which settings are tried, what they find, and what that comes to."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from types import MappingProxyType

import numpy as np

from prebrush.datatypes import LabelMap, Prompt, RGBImage, Segments
from prebrush.errors import DatasetError, InvalidParams
from prebrush.evaluation.clicks import count_clicks
from prebrush.evaluation.items import Item, Kind
from prebrush.evaluation.measuring import CLICKS, measure, prompt_of
from prebrush.evaluation.results import Results, Row, Setting, summarize
from prebrush.files import load_image
from prebrush.recipes import Recipe, build_recipe, sort_knobs
from prebrush.segmentation import METHODS
from prebrush.segmenter import compute_segments
from prebrush.settings import Settings
from prebrush.warming import warm_kernels

LIFTED_CAP = 100_000
"""`max_regions` while evaluating: how many regions a project wants to see says nothing of the method."""

SWEEPS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "felzenszwalb": ("scale", ("100", "200", "300", "450", "600", "900", "1300", "2000")),
        "kmeans": ("n_clusters", ("2", "3", "4", "5", "6", "8", "12")),
        "region_merging": ("n_regions", ("2", "3", "4", "5", "6", "8", "10", "12", "16", "24", "32", "48")),
        "mean_shift": ("color_radius", ("6", "7", "8", "9", "10", "11", "12", "14", "17")),
        "multi_otsu": ("n_classes", ("2", "3", "4", "5", "6")),
        "normalized_cut": ("threshold", ("0.001", "0.002", "0.004", "0.007", "0.01", "0.015", "0.02", "0.03")),
    }
)
"""The main knob of methods that divide a scene, and the values at which regions are measured: there is no right number
of regions, so the literature gives the best one for all images and the best for each."""


def sort_by_method(pairs: Sequence[tuple[str, str]], methods: Sequence[str]) -> dict[str, dict[str, str]]:
    """Sort ``method.knob``: ``value`` pairs by method; a knob without a method is for all of them.

    Raises
    ------
    InvalidParams
        The method is not among those evaluated.
    """
    sorted_knobs: dict[str, dict[str, str]] = {name: {} for name in methods}
    for name, value in pairs:
        method, dot, knob = name.partition(".")
        if not dot:
            for knobs in sorted_knobs.values():
                knobs[name] = value
        elif method in sorted_knobs:
            sorted_knobs[method][knob] = value
        else:
            raise InvalidParams(f"-p {name}={value}: {method!r} is not among the methods: {', '.join(methods)}")
    return sorted_knobs


def plan_settings(method: str, kind: Kind, knobs: Mapping[str, str]) -> tuple[Setting, ...]:
    """Resolve the settings of a method that are tried on one kind of images.

    Parameters
    ----------
    method : str
    kind : str
        Regions are measured over the method's main knob (`SWEEPS`), unless that is given.
    knobs : mapping of str to str
        Of the method and of the clean-up; several values separated by commas are tried one by one.

    Raises
    ------
    InvalidParams
        A knob does not fit, or several have several values.
    """
    swept = {name: value.split(",") for name, value in knobs.items() if "," in value}
    if len(swept) > 1:
        raise InvalidParams(f"{method}: only one parameter may have several values, not {' and '.join(swept)}")
    name, values = next(iter(swept.items()), ("", [""]))
    if not swept and kind == "regions" and method in SWEEPS and SWEEPS[method][0] not in knobs:
        name, values = SWEEPS[method][0], list(SWEEPS[method][1])
    settings = []
    for value in values:
        choice = sort_knobs({"max_regions": LIFTED_CAP, **knobs, **({name: value.strip()} if name else {})})
        recipe = build_recipe({**choice, "method": method}, owner="the command line")
        settings.append(Setting(f"{name}={value.strip()}" if name else "", recipe))
    return tuple(settings)


@dataclass(frozen=True, slots=True)
class Trial:
    """One image with all the settings of a method that are tried on it.

    Attributes
    ----------
    item : Item
    method : str
    settings : tuple of Setting
    with_clicks : bool
        Whether to count the clicks a person needs.
    """

    item: Item
    method: str
    settings: tuple[Setting, ...]
    with_clicks: bool = False


def plan_trials(
    items: Sequence[Item],
    methods: Sequence[str],
    knobs: Mapping[str, Mapping[str, str]],
    *,
    with_clicks: bool = False,
) -> tuple[Trial, ...]:
    """List what is to be run, image by image; interactive images only meet methods that read boxes.

    Parameters
    ----------
    items : sequence of Item
    methods : sequence of str
    knobs : mapping of str to mapping
        Those of each method, as from `sort_by_method`.
    with_clicks : bool
        Count clicks on interactive images as well, with methods that read them: up to 20 runs for each.

    Raises
    ------
    InvalidParams
        A knob does not fit; noticed here, before anything is computed.
    DatasetError
        Nothing is left to run.
    """
    kinds = dict.fromkeys(item.kind for item in items)
    settings = {(method, kind): plan_settings(method, kind, knobs[method]) for method in methods for kind in kinds}
    trials = tuple(
        Trial(
            item,
            method,
            settings[method, item.kind],
            with_clicks and item.kind == "interactive" and "points" in METHODS[method].prompts,
        )
        for item in items
        for method in methods
        if item.kind != "interactive" or "boxes" in METHODS[method].prompts
    )
    if not trials:
        raise DatasetError(f"nothing to measure: none of {', '.join(methods)} reads a box, and all images ask for that")
    return trials


def run_trials(trials: Sequence[Trial], settings: Settings, on_progress: Callable[[str], None]) -> Results:
    """Segment every image with every setting and compare with the truth.

    Parameters
    ----------
    trials : sequence of Trial
    settings : Settings
        For the limits on images.
    on_progress : callable (text)
        Called when a trial is done, with what it was.

    Raises
    ------
    ImageError, DatasetError
        An image or its mask cannot be read, or their sizes differ; the message names it.
    """
    rows: list[Row] = []
    unmarked: dict[str, None] = {}
    _warm(trials)
    for item, own in groupby(trials, key=lambda trial: trial.item):
        pixels, truths = _read(item, settings)
        for trial in own:
            measured = list(_run_trial(trial, pixels, truths))
            rows += [row for row in measured if row.figures]
            if not all(row.figures for row in measured):
                unmarked[item.name] = None
            on_progress(f"{item.name} · {trial.method}")
    if not rows:
        raise DatasetError("none of the masks marks anything: there is nothing to measure")
    return Results(tuple(rows), tuple(summarize(rows)), tuple(unmarked))


def find_again(row: Row, settings: Settings) -> tuple[RGBImage, LabelMap, tuple[LabelMap, ...]]:
    """Compute what a row was measured on once more, for its picture: pixels, label map, truths."""
    pixels, truths = _read(row.item, settings)
    return pixels, compute_segments(pixels, row.setting.recipe, prompt_of(row.item)).label_map, truths


def _warm(trials: Sequence[Trial]) -> None:
    """Load the kernels, and run each method once on next to nothing, so that neither is in anybody's time."""
    warm_kernels(on_terminal=True)
    patch = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    patch.flags.writeable = False
    for recipe in {trial.method: trial.settings[0].recipe for trial in trials}.values():
        compute_segments(patch, recipe)


def _read(item: Item, settings: Settings) -> tuple[RGBImage, tuple[LabelMap, ...]]:
    pixels, truths = load_image(item.image, settings), item.read_truths()
    for truth in truths:
        if truth.shape != pixels.shape[:2]:
            found = " and ".join(f"{width} x {height}" for height, width in (pixels.shape[:2], truth.shape))
            raise DatasetError(f"{item.image}: image and mask differ in size: {found}")
    return pixels, truths


def _run_trial(trial: Trial, pixels: RGBImage, truths: tuple[LabelMap, ...]) -> Iterator[Row]:
    for setting in trial.settings:
        started = time.perf_counter()
        segments: Segments = compute_segments(pixels, setting.recipe, prompt_of(trial.item))
        seconds = time.perf_counter() - started
        figures = measure(trial.item, segments.label_map, truths)
        if trial.with_clicks and figures:
            figures[CLICKS] = count_clicks(truths[0], partial(_answer, pixels, setting.recipe))
        yield Row(trial.item, trial.method, setting, seconds, len(segments), figures)


def _answer(pixels: RGBImage, recipe: Recipe, prompt: Prompt) -> LabelMap:
    return compute_segments(pixels, recipe, prompt).label_map
