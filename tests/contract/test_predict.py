"""What batches of tasks get: masks where things are, order, broken tasks, several images, background, merging."""

import logging

import numpy as np
import pytest

from prebrush.web import create_app

from .asking import TASK, mask_of, predict
from .conftest import CONFIG, draw_discs, write_image


def test_the_discs_are_found_where_they_are(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    answer = predict(client, [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]).get_json()
    union = np.any([mask_of(region) for region in answer["results"][0]["result"]], axis=0)
    truth = draw_discs()[..., 1] > 100
    assert (union & truth).sum() / (union | truth).sum() > 0.95


def test_broken_tasks_cost_an_empty_list_each_and_a_warning_that_names_them(client, file_server, caplog):
    folder = file_server.folder / "data/upload"
    write_image(folder / "good.png", draw_discs())
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:200])
    tasks = [
        {"id": 11, "data": {"image": "/data/upload/missing.png"}},
        {"id": 12, "data": {"image": "/data/upload/good.png"}},
        {"id": 13, "data": {"image": "/data/upload/broken.png"}},
        {"id": 14, "data": {"image": "/data/upload/cut.png"}},
        {"id": 15, "data": {"picture": "/data/upload/good.png"}},
        {"id": 16, "data": {"image": "http://169.254.169.254/latest"}},
        {"id": 17, "data": {"image": 5}},
        {"id": 18, "data": {"image": "/data/upload/good.png"}},
    ]
    with caplog.at_level(logging.WARNING):
        answer = predict(client, tasks).get_json()
    assert [bool(entry) for entry in answer["results"]] == [False, True, False, False, False, False, False, True]
    assert all(entry == [] for entry in answer["results"] if not entry)
    for number in (11, 13, 14, 15, 16, 17):
        assert f"task {number}:" in caplog.text


def test_1200_tasks_come_back_in_order(client, file_server):
    folder = file_server.folder / "data/upload"
    for shift in range(4):
        write_image(folder / f"{shift}.png", np.roll(draw_discs(60, 80), 5 * shift, axis=1))
    tasks = [{"id": n, "data": {"image": f"/data/upload/{n % 4}.png"}} for n in range(1200)]
    results = predict(client, tasks).get_json()["results"]
    assert len(results) == 1200
    masks = [[region["value"] for region in entry["result"]] for entry in results]
    assert masks == [masks[n % 4] for n in range(1200)]
    assert masks[0] != masks[1]
    ids = [region["id"] for entry in results for region in entry["result"]]
    assert len(set(ids)) == len(ids)


def test_an_image_that_changes_behind_its_url_gets_new_masks(make_settings, file_server):
    client = create_app(make_settings()).test_client()
    path = file_server.folder / "photo.png"
    tasks = [{"id": 1, "data": {"image": f"{file_server.url}/photo.png"}}]
    write_image(path, draw_discs())
    before = predict(client, tasks).get_json()["results"][0]["result"]
    write_image(path, draw_discs()[:, ::-1])
    after = predict(client, tasks).get_json()["results"][0]["result"]
    flipped = np.any([mask_of(region) for region in after], axis=0)[:, ::-1]
    assert (flipped == np.any([mask_of(region) for region in before], axis=0)).mean() > 0.98


def test_several_images_in_a_task_carry_their_place(client, file_server):
    for n in range(2):
        write_image(file_server.folder / f"data/upload/{n}.png", np.roll(draw_discs(), 20 * n, axis=1))
    config = CONFIG.replace('value="$image"', 'valueList="$pages"')
    task = {"id": 1, "data": {"pages": ["/data/upload/0.png", "/data/upload/1.png"]}}
    result = predict(client, [task], config=config).get_json()["results"][0]["result"]
    assert {region["item_index"] for region in result} == {0, 1}
    assert len({region["id"] for region in result}) == len(result)


@pytest.mark.parametrize("nothing", [{}, {"second": None}, {"second": ""}])
def test_a_task_may_leave_out_one_of_two_images(client, discs, nothing):
    labels = '<Label value="Object"/>'
    config = (
        '<View><Image name="first" value="$first"/><Image name="other" value="$second"/>'
        f'<BrushLabels name="a" toName="first">{labels}</BrushLabels>'
        f'<BrushLabels name="b" toName="other">{labels}</BrushLabels></View>'
    )

    def images_of(data):
        (entry,) = predict(client, [{"id": 1, "data": data}], config=config).get_json()["results"]
        return {(region["from_name"], region["to_name"]) for region in entry["result"]} if entry else None

    address = TASK["data"]["image"]
    assert images_of({"first": address, **nothing}) == {("a", "first")}
    # the same image at the other place is another task
    assert images_of({"second": address}) == {("b", "other")}
    assert images_of({"first": address, "second": address}) == {("a", "first"), ("b", "other")}
    # none at all, or one that cannot be had, is a task to ask for again
    assert images_of(nothing) is None
    assert images_of({"first": address, "second": "/data/upload/missing.png"}) is None


def test_background_is_sent_where_a_label_asks_for_it(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    labels = '<Label value="A" predicted_values="foreground"/><Label value="B" predicted_values="background"/>'
    config = CONFIG.replace('<Label value="Object"/>', labels).replace(
        'name="mask"', 'name="mask" model_method="threshold"'
    )
    result = predict(client, tasks, config=config).get_json()["results"][0]["result"]
    masks = {
        label: np.any([mask_of(r) for r in result if r["value"]["brushlabels"] == [label]], axis=0) for label in "AB"
    }
    assert (masks["A"] ^ masks["B"]).mean() > 0.99


def test_merge_gives_one_mask_a_label(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    config = CONFIG.replace('name="mask"', 'name="mask" model_method="threshold" model_instances="merge"')
    (region,) = predict(client, tasks, config=config).get_json()["results"][0]["result"]
    assert mask_of(region)[40, 40]
    assert mask_of(region)[80, 120]


def test_an_image_that_is_all_background_has_no_objects_to_label(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    config = CONFIG.replace("Object", "Background").replace('name="mask"', 'name="mask" model_method="threshold"')
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    (region,) = predict(client, tasks, config=config).get_json()["results"][0]["result"]
    assert not mask_of(region)[40, 40]
    assert mask_of(region)[5, 150]
