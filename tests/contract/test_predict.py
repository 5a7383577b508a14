"""What Label Studio relies on beyond the recorded requests: order, deadlines, broken tasks, restarts, projects."""

import json
import logging
import threading
import time

import numpy as np
import pytest

from prebrush.labelstudio import rle
from prebrush.segmentation import METHODS
from prebrush.web import create_app

from .conftest import CONFIG, draw_discs, write_image


def predict(client, tasks, config=CONFIG, project="1.1700000000", **params):
    body = {"tasks": tasks, "project": project, "label_config": config, "params": {"context": None, **params}}
    return client.post("/predict", json=body)


def set_up(client, config=CONFIG, project="1.1700000000", extra=None, **more):
    body = {"project": project, "schema": config, "hostname": "", "access_token": "", "extra_params": extra, **more}
    return client.post("/setup", json=body).get_json()["model_version"]


def mask_of(region):
    return rle.decode_mask(region["value"]["rle"], region["original_height"], region["original_width"])


@pytest.fixture
def image_url(file_server):
    write_image(file_server.folder / "discs.png", draw_discs())
    return "/data/upload/discs.png"


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


def test_the_same_task_asked_three_times_at_once_is_computed_once(make_settings, file_server, monkeypatch):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    app = create_app(make_settings())
    calls = count_segmentations(monkeypatch)
    answers = []

    def ask():
        answers.append(predict(app.test_client(), [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]).data)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert answers[0] == answers[1] == answers[2]


def count_segmentations(monkeypatch, pause_s=0.0, block=None):
    """Let the pipeline run as it is, and count its runs."""
    from prebrush import segmenter

    calls = []
    real = segmenter.run_pipeline

    def counted(*args, **kwargs):
        calls.append(1)
        time.sleep(pause_s)
        if block is not None:
            assert block.wait(30)
        return real(*args, **kwargs)

    monkeypatch.setattr(segmenter, "run_pipeline", counted)
    return calls


def test_a_late_batch_answers_what_is_ready_and_has_the_rest_next_time(make_settings, file_server, monkeypatch):
    folder = file_server.folder / "data/upload"
    for n in range(6):
        write_image(folder / f"{n}.png", np.roll(draw_discs(60, 80), 3 * n, axis=1))
    app = create_app(make_settings(server={"answer_within_s": 1.0, "jobs": 1}))
    client = app.test_client()
    tasks = [{"id": n, "data": {"image": f"/data/upload/{n}.png"}} for n in range(6)]
    gate = threading.Event()
    predict(client, tasks[:2])
    calls = count_segmentations(monkeypatch, block=gate)
    first = predict(client, tasks).get_json()["results"]
    assert [bool(entry) for entry in first] == [True, True, False, False, False, False]
    gate.set()
    second = predict(client, tasks).get_json()["results"]
    assert all(second)
    assert len(calls) == 4


def test_health_answers_while_every_core_segments(make_settings, file_server, monkeypatch):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    app = create_app(make_settings())
    gate = threading.Event()
    calls = count_segmentations(monkeypatch, block=gate)
    body = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    worker = threading.Thread(target=lambda: predict(app.test_client(), body))
    worker.start()
    deadline = time.monotonic() + 20
    while not calls and time.monotonic() < deadline:
        time.sleep(0.01)
    assert calls
    assert app.test_client().get("/health").get_json()["status"] == "UP"
    gate.set()
    worker.join()


def test_a_warm_request_fetches_and_computes_nothing(client, file_server, monkeypatch):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    cold = predict(client, tasks).data
    calls = count_segmentations(monkeypatch)
    file_server.asked.clear()
    assert predict(client, tasks).data == cold
    renamed = CONFIG.replace("Object", "Cell")
    again = predict(client, tasks, config=renamed).get_json()["results"][0]["result"]
    assert {region["value"]["brushlabels"][0] for region in again} == {"Cell"}
    assert file_server.asked == []
    assert calls == []


def test_a_restart_remembers_setup_and_masks(make_settings, file_server, monkeypatch):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    settings = make_settings(label_studio={"url": ""})
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    first = create_app(settings).test_client()
    version = set_up(first, extra={"method": "kmeans", "params": {"n_clusters": 3}}, hostname=file_server.url)
    cold = predict(first, tasks).get_json()
    assert cold["results"][0]["result"]
    calls = count_segmentations(monkeypatch)
    again = predict(create_app(settings).test_client(), tasks).get_json()
    assert again == cold
    assert again["model_version"] == version
    assert calls == []


def test_predict_without_any_setup(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    answer = predict(client, [{"id": 1, "data": {"image": "/data/upload/discs.png"}}], project="77.1").get_json()
    assert answer["results"][0]["result"]


def test_projects_do_not_see_each_others_parameters(client):
    other = set_up(client, project="2.5")
    mine = set_up(client, project="1.5", extra={"method": "kmeans"})
    assert mine.startswith("prebrush-kmeans-")
    assert set_up(client, project="2.5") == other != mine
    # the same number in another Label Studio, created at another time
    assert set_up(client, project="1.6") == other
    assert set_up(client, project="1.5", extra=None) == other


def test_the_version_is_equal_where_predictions_would_be_equal(client):
    base = set_up(client)
    assert set_up(client, config=CONFIG.replace("<View>", '<View><Header value="Hi"/>')) == base
    assert set_up(client, config=CONFIG.replace('value="Object"', 'value="Object" background="#ff0000"')) == base
    changed = {
        set_up(client, config=CONFIG.replace('value="Object"', 'value="Cell"')),
        set_up(client, config=CONFIG.replace('name="mask"', 'name="mask" model_method="kmeans"')),
        set_up(client, config=CONFIG.replace('name="mask"', 'name="mask" model_method="kmeans" model_n_clusters="7"')),
        set_up(client, config=CONFIG.replace('name="mask"', 'name="mask" model_max_regions="7"')),
        set_up(client, extra={"labels": {"rule": "size"}}),
        base,
    }
    assert len(changed) == 6


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("<View></View>", "Image"),
        ('<View><Image name="i" value="$image"/></View>', "BrushLabels"),
        ('<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>', "Image"),
        ("not xml", "XML"),
    ],
)
def test_setup_answers_for_any_config_and_predict_says_what_to_add(client, config, words):
    assert set_up(client, config=config).startswith("prebrush-")
    answer = predict(client, [{"id": 1, "data": {"image": "x"}}], config=config)
    assert answer.status_code == 400
    assert answer.get_json()["error"] == "invalid_label_config"
    assert words in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("attributes", "error", "words"),
    [
        ('model_method="kmean"', "unknown_method", "kmeans"),
        ('model_method="kmeans" model_n_cluster="3"', "invalid_params", "n_clusters"),
        ('model_method="kmeans" model_n_clusters="99999"', "invalid_params", "n_clusters"),
    ],
)
def test_a_wrong_attribute_is_named(client, attributes, error, words):
    config = CONFIG.replace('name="mask"', f'name="mask" {attributes}')
    assert set_up(client, config=config).startswith("prebrush-")
    answer = predict(client, [{"id": 1, "data": {"image": "x"}}], config=config)
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)
    assert words in answer.get_json()["detail"]


def test_precedence_tag_then_extra_then_project_then_default(make_settings):
    settings = make_settings(default={"method": "threshold"}, projects={"4": {"method": "felzenszwalb"}})
    client = create_app(settings).test_client()
    tagged = CONFIG.replace('name="mask"', 'name="mask" model_method="grabcut"')
    method = lambda version: version.split("-")[1]  # noqa: E731
    assert method(set_up(client, project="3.1")) == "threshold"
    assert method(set_up(client, project="4.1")) == "felzenszwalb"
    assert method(set_up(client, project="4.1", extra={"method": "kmeans"})) == "kmeans"
    assert method(set_up(client, project="4.1", extra={"method": "kmeans"}, config=tagged)) == "grabcut"


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


@pytest.mark.parametrize("method", list(METHODS))
def test_a_click_contains_what_it_marks(client, file_server, method):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    config = CONFIG.replace('name="mask"', f'name="mask" model_method="{method}"')
    mark = {"value": {"x": 25.0, "y": 33.3, "width": 1, "keypointlabels": ["Object"]}, "type": "keypointlabels"}
    context = {"result": [{**mark, "from_name": "p", "to_name": "image", "is_positive": True}]}
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    (region,) = predict(client, tasks, config=config, context=context).get_json()["results"][0]["result"]
    mask = mask_of(region)
    assert mask[40, 40]
    assert not mask[5, 150]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/predict", b"{", 400),
        ("/predict", b"[]", 400),
        ("/predict", b'{"tasks": 5}', 400),
        ("/predict", b'{"tasks": [{"data": []}]}', 400),
        ("/setup", b"no", 400),
        ("/webhook", b"{}", 400),
        ("/nothing", b"{}", 404),
        ("/health", b"{}", 405),
    ],
)
def test_errors_have_one_shape(client, path, body, status):
    answer = client.post(path, data=body, content_type="application/json")
    assert answer.status_code == status
    assert set(answer.get_json()) == {"error", "detail"}
    assert "Traceback" not in answer.text


def test_too_large_a_body_is_413(make_settings):
    client = create_app(make_settings(server={"max_body_bytes": 2000})).test_client()
    answer = client.post("/predict", data=b" " * 5000, content_type="application/json")
    assert answer.status_code == 413
    assert answer.get_json()["error"] == "request_entity_too_large"


def test_older_routes(client, file_server):
    version = set_up(client)
    assert client.get("/versions").get_json()["versions"] == [version]
    assert client.post("/versions", json={"project": "1.1700000000"}).get_json()["versions"] == [version]
    assert client.post("/validate", json={"config": CONFIG}).status_code == 200
    assert client.post("/validate", json={"config": "<View/>"}).status_code == 400
    assert client.post("/train", json={"annotations": []}).status_code == 201
    assert client.get("/is_training").get_json() == {"is_training": False}
    assert client.post("/job_status", json={"job": "1"}).get_json()["job_status"] == "completed"
    assert client.post("/delete", json={"project": "1.1"}).status_code == 200
    assert client.post("/duplicate_model", json={"project_src": "1.1", "project_dst": "2.2"}).status_code == 200
    assert b"prebrush_request_seconds_bucket" in client.get("/metrics").data


def test_a_browser_is_sent_to_the_playground_and_label_studio_is_not(client):
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 302
    assert client.get("/", headers={"Accept": "*/*"}).get_json()["status"] == "UP"
    assert json.loads(client.get("/health").data)["model_class"]


def test_a_late_batch_is_finished_without_a_storage_too(make_settings, file_server, monkeypatch):
    folder = file_server.folder / "data/upload"
    for n in range(6):
        write_image(folder / f"{n}.png", np.roll(draw_discs(60, 80), 3 * n, axis=1))
    settings = make_settings(server={"answer_within_s": 0.5}, storage={"url": "redis://127.0.0.1:9/0"})
    client = create_app(settings).test_client()
    calls = count_segmentations(monkeypatch, pause_s=0.4)
    tasks = [{"id": n, "data": {"image": f"/data/upload/{n}.png"}} for n in range(6)]
    deadline = time.monotonic() + 30
    while not all(predict(client, tasks).get_json()["results"]) and time.monotonic() < deadline:
        pass
    assert all(predict(client, tasks).get_json()["results"])
    assert len(calls) == 6


def test_every_pixel_can_be_clicked(client, file_server):
    noisy = draw_discs(60, 80)
    noisy[:, ::2] //= 2
    write_image(file_server.folder / "data/upload/busy.png", noisy)
    tasks = [{"id": 1, "data": {"image": "/data/upload/busy.png"}}]
    for row, col in np.random.default_rng(0).integers(0, (60, 80), (25, 2)).tolist():
        value = {"x": (col + 0.5) / 0.8, "y": (row + 0.5) / 0.6, "keypointlabels": ["Object"]}
        context = {"result": [{"value": value, "type": "keypointlabels", "to_name": "image", "is_positive": True}]}
        (region,) = predict(client, tasks, context=context).get_json()["results"][0]["result"]
        assert mask_of(region)[row, col]


def test_an_image_that_is_all_background_has_no_objects_to_label(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    config = CONFIG.replace("Object", "Background").replace('name="mask"', 'name="mask" model_method="threshold"')
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]
    (region,) = predict(client, tasks, config=config).get_json()["results"][0]["result"]
    assert not mask_of(region)[40, 40]
    assert mask_of(region)[5, 150]


@pytest.mark.parametrize("extra", [[1], "no json", 5, '"text"'])
def test_setup_answers_for_extra_parameters_that_are_no_object(client, extra):
    assert set_up(client, extra=extra).startswith("prebrush-none-")
    answer = predict(client, [{"id": 1, "data": {"image": "x"}}])
    assert answer.status_code == 400
    assert "extra parameters" in answer.get_json()["detail"]


def test_a_negative_click_on_a_method_that_reads_marks_stays_outside(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    config = CONFIG.replace('name="mask"', 'name="mask" model_method="grabcut"')
    tasks = [{"id": 1, "data": {"image": "/data/upload/discs.png"}}]

    def mark(x, y, positive):
        value = {"x": x, "y": y, "keypointlabels": ["Object"]}
        return {"value": value, "type": "keypointlabels", "to_name": "image", "is_positive": positive}

    context = {"result": [mark(25.0, 33.3, True), mark(30.0, 38.0, False)]}
    (region,) = predict(client, tasks, config=config, context=context).get_json()["results"][0]["result"]
    assert mask_of(region)[40, 40]
    assert not mask_of(region)[45, 48]
