"""What is computed once, kept, shared and finished later: warm requests, restarts, deadlines, many at once."""

import threading
import time

import numpy as np

from prebrush.web import create_app

from .asking import predict, set_up
from .conftest import CONFIG, draw_discs, write_image


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
