"""What is run on which images, what it comes to, and what the report shows."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from prebrush.errors import DatasetError, InvalidParams, UnknownMethod
from prebrush.evaluation import report
from prebrush.evaluation.datasets import read_dataset
from prebrush.evaluation.drawing import draw_row
from prebrush.evaluation.items import Item
from prebrush.evaluation.measuring import FIGURES, measure, wanted_segments
from prebrush.evaluation.trials import SWEEPS, plan_settings, plan_trials, run_trials, sort_by_method
from prebrush.recipes import choose_methods
from prebrush.segmentation import METHODS
from prebrush.settings import Settings
from scenes import dark_cells, disc, iou, stripes, two_discs

SETTINGS = Settings()


@pytest.fixture
def drawn(tmp_path):
    """A folder with one drawn image of each kind."""
    folder = tmp_path / "drawn"
    folder.mkdir()
    items = []
    scenes = {"regions": stripes(), "instances": two_discs(), "classes": dark_cells(), "interactive": two_discs()}
    for kind, scene in scenes.items():
        truth = scene.truth
        if kind == "classes":
            truth = (truth > 0).astype(np.int32)
        if kind == "interactive":
            truth = np.where(truth == 1, 255, 0)
            truth[disc(*truth.shape, 40, 30, 20) & (truth == 0)] = 128
        Image.fromarray(scene.image).save(folder / f"{kind}.png")
        Image.fromarray(truth.astype(np.uint8)).save(folder / f"{kind}_gt.png")
        entry = {"id": kind, "domain": f"drawn {kind}", "task": kind, "mask_kind": kind, "image": f"{kind}.png"}
        items.append({**entry, "masks": [f"{kind}_gt.png"]})
    items[2]["classes"] = {"1": "cell"}
    items[3] |= {"mask_kind": "fg_bg_ignore", "bbox": [8, 18, 46, 46]}
    (folder / "manifest.json").write_text(json.dumps({"items": items}))
    return folder


def run(folder, methods=("kmeans", "threshold", "grabcut"), knobs=()):
    trials = plan_trials(read_dataset(folder), methods, sort_by_method(list(knobs), methods))
    steps = []
    results = run_trials(trials, SETTINGS, steps.append)
    assert len(steps) == len(trials)
    return results


def test_methods_that_fit_a_drawing_are_right_on_it(drawn):
    results = run(drawn)
    best = {kind: results.of_group(group, kind)[0] for group, kind in results.groups()}
    assert set(best) == set(FIGURES)
    assert (best["regions"].method, best["regions"].setting) == ("kmeans", "n_clusters=3")
    assert all(summary.main > 0.95 for summary in best.values())
    assert [each.method for each in results.of_group("drawn interactive", "interactive")] == ["grabcut"]
    assert best["classes"].figures["iou cell"] == best["classes"].main


def test_figures_are_those_of_what_a_user_gets(drawn):
    (item,) = (item for item in read_dataset(drawn) if item.kind == "instances")
    (row,) = (row for row in run(drawn, ("threshold",)).rows if row.item.kind == "instances")
    truth = item.read_truths()[0]
    assert row.segments == 2
    assert row.figures["ap50"] == 1
    assert row.figures["iou"] > 0.97
    assert measure(item, np.zeros_like(truth), (truth,))["ap50"] == 0
    assert measure(item, truth, (truth,)) == dict.fromkeys(["ap50", "iou", "dice", "best_overlap", "boundary_f"], 1.0)


def test_a_knob_is_swept_over_regions_alone():
    assert len(plan_settings("kmeans", "regions", {})) == len(SWEEPS["kmeans"][1])
    assert len(plan_settings("kmeans", "instances", {})) == 1
    (given,) = plan_settings("kmeans", "regions", {"n_clusters": "3"})
    assert (given.name, given.recipe.params.n_clusters) == ("", 3)
    several = plan_settings("kmeans", "instances", {"n_clusters": "3, 4", "min_area": "9"})
    assert [setting.name for setting in several] == ["n_clusters=3", "n_clusters=4"]
    assert {setting.recipe.cleanup.min_area for setting in several} == {9}
    assert all(setting.recipe.cleanup.max_regions == 100_000 for setting in several)
    with pytest.raises(InvalidParams, match="n_clusters and min_area"):
        plan_settings("kmeans", "regions", {"n_clusters": "3,4", "min_area": "1,2"})
    for name in SWEEPS.keys() & METHODS.keys():
        assert plan_settings(name, "regions", {})


def test_knobs_are_sorted_by_method():
    pairs = [("kmeans.n_clusters", "3"), ("min_area", "5")]
    assert sort_by_method(pairs, ("kmeans", "auto")) == {
        "kmeans": {"n_clusters": "3", "min_area": "5"},
        "auto": {"min_area": "5"},
    }
    with pytest.raises(InvalidParams, match="threshold"):
        sort_by_method([("threshold.sigma", "1")], ("kmeans",))


def test_methods_are_chosen_by_name():
    assert choose_methods(None) == tuple(METHODS)
    assert choose_methods("kmeans, auto,kmeans") == ("kmeans", "auto")
    with pytest.raises(UnknownMethod, match="kmeans"):
        choose_methods("kmean")
    with pytest.raises(InvalidParams, match="at least one"):
        choose_methods(",")


def test_the_best_setting_and_each_images_own(tmp_path):
    for number, colors in enumerate((2, 4)):
        truth = np.repeat(np.arange(colors), 60 // colors)[None].repeat(40, axis=0)
        Image.fromarray(np.uint8(truth * 60)[..., None].repeat(3, axis=2)).save(tmp_path / f"{number}.png")
        Image.fromarray(np.uint8(truth + 1)).save(tmp_path / f"{number}_gt.png")
    (summary,) = run(tmp_path, ("kmeans",), [("kmeans.n_clusters", "2,4")]).summaries
    # four clusters are right for both: fewer are found where there are fewer colours
    assert (summary.setting, summary.main, summary.ois) == ("n_clusters=4", pytest.approx(1), pytest.approx(1))
    assert len(summary.rows) == 2


def test_image_and_mask_of_two_sizes_are_named(tmp_path):
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.ones((4, 5), np.uint8)).save(tmp_path / "a_gt.png")
    with pytest.raises(DatasetError, match=r"a\.png: image and mask differ in size: 6 x 4 and 5 x 4"):
        run(tmp_path)


def test_images_without_a_mark_are_left_out(tmp_path):
    scene = two_discs()
    for name, truth in (("a", scene.truth > 0), ("b", scene.truth > 9)):
        Image.fromarray(scene.image).save(tmp_path / f"{name}.png")
        Image.fromarray(truth).save(tmp_path / f"{name}_mask.png")
    results = run(tmp_path, ("threshold",))
    assert results.unmarked == ("b.png",)
    assert [row.item.name for row in results.rows] == ["a.png"]


def test_boxes_need_a_method_that_reads_them(drawn):
    items = [item for item in read_dataset(drawn) if item.kind == "interactive"]
    with pytest.raises(DatasetError, match="kmeans"):
        plan_trials(items, ("kmeans",), {"kmeans": {}})


def test_clicks_are_counted_where_asked_for(drawn):
    items = [item for item in read_dataset(drawn) if item.kind == "interactive"]
    trials = plan_trials(items, ("grabcut",), {"grabcut": {}}, with_clicks=True)
    (summary,) = run_trials(trials, SETTINGS, lambda _: None).summaries
    assert 1 <= summary.figures["clicks"] <= 3


def test_what_a_class_is_compared_with():
    truth = np.array([[1, 1, 0, 0], [1, -1, 0, 0]], np.int32)
    found = np.array([[1, 2, 3, 3], [1, 5, 3, 0]], np.int32)
    item = Item("a", "a", "classes", None, lambda: (truth,), {1: "cell"})
    assert wanted_segments(item, found, truth).tolist() == [[True, True, False, False], [True, False, False, False]]
    figures = measure(item, found, (truth,))
    assert (figures["iou"], figures["iou cell"], figures["best_overlap"]) == (1, 1, pytest.approx(2 / 3))


def test_the_report(drawn, tmp_path):
    results = run(drawn)
    steps = []
    page = report.write_report(results, tmp_path / "out", SETTINGS, steps.append)
    assert len(steps) == report.count_pictures(results)
    text = page.read_text()
    assert text.count("<img") == len(steps)
    assert "http" not in text.replace("http-equiv", "")
    for word in ("drawn regions", "kmeans", "n_clusters=3", "covering ODS", "AP 0.5", "IoU cell", "data:image/jpeg"):
        assert word in text
    with (page.parent / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(results.rows)
    assert {row["image"] for row in rows} == set(FIGURES)
    with (page.parent / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(results.summaries)


def test_names_are_escaped_on_the_page(tmp_path):
    folder = tmp_path / "<b>"
    folder.mkdir()
    Image.fromarray(two_discs().image).save(folder / "<i>.png")
    Image.fromarray(two_discs().truth.astype(np.uint8)).save(folder / "<i>_gt.png")
    page = report.write_report(run(folder, ("threshold",)), tmp_path / "out", SETTINGS, lambda _: None)
    assert "<b>&lt;" not in page.read_text()
    assert "&lt;i&gt;.png" in page.read_text()
    assert "<i>" not in page.read_text()


def test_pictures_show_truth_and_result_side_by_side(drawn):
    for row in run(drawn, ("kmeans", "grabcut")).rows:
        picture = draw_row(row, SETTINGS)
        half = (picture.shape[1] - 4) // 2
        assert picture.shape[1] == 2 * half + 4
        assert (picture[:, half : half + 4] == 255).all()
        if row.item.kind == "interactive":
            # coloured alike where truth and answer agree
            left, right = picture[:, :half], picture[:, half + 4 :]
            assert iou(left[..., 0] > 160, right[..., 0] > 160) > 0.9
