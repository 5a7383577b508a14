"""The playground's calls: a photo is sent once, each answer is a label map, projects are shown to whom they may be."""

import dataclasses
import functools
import gzip
import json
import re
import threading

import cv2
import numpy as np
import pytest

from prebrush.errors import ImageNotFound, ImageTooLarge
from prebrush.images import ImageLimits
from prebrush.recent import Recent
from prebrush.recipes import build_recipe
from prebrush.segmentation import METHODS
from prebrush.segmentation.stages import bytes_of, kept_by, stage
from prebrush.segmenter import compute_segments
from prebrush.web import create_app
from prebrush.web.playground_images import KeptImages
from prebrush.web.playground_projects import may_see_projects
from prebrush.web.playground_reuse import FoundBefore
from prebrush.web.playground_segments import MOST_PIXELS, encode_answer
from prebrush.web.playground_turns import Turns

from .conftest import CONFIG, draw_discs, write_image

PROJECT = "1.1700000000"


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def send(client, pixels: np.ndarray) -> str:
    return client.post("/playground/images", data=png(pixels)).get_json()["image"]


def decode(body: bytes) -> tuple[dict, np.ndarray]:
    line, _, numbers = gzip.decompress(body).partition(b"\n")
    head = json.loads(line)
    kind = {1: "<u1", 2: "<u2", 4: "<u4"}[head["bytes"]]
    return head, np.frombuffer(numbers, kind).reshape(head["height"], head["width"]).astype(np.int32)


def ask(client, image: str, **more) -> tuple[dict, np.ndarray]:
    response = client.post("/playground/segment", json={"image": image, **more})
    assert response.status_code == 200, response.text
    assert response.headers["Content-Encoding"] == "gzip"
    return decode(response.data)


def test_the_answer_is_what_the_method_makes_of_the_photo(client):
    pixels = draw_discs()
    image = send(client, pixels)
    for choice in ({"method": "threshold"}, {"method": "kmeans", "params": {"n_clusters": 3}, "regions": {"max": 2}}):
        head, label_map = ask(client, image, choice=choice)
        truth = compute_segments(pixels, build_recipe(choice))
        np.testing.assert_array_equal(label_map, truth.label_map)
        assert head["segments"] == len(truth)
        assert head["method"] == choice["method"]


def test_every_method_answers_without_marks(client):
    image = send(client, draw_discs())
    for name in METHODS:
        head, label_map = ask(client, image, choice={"method": name}, is_urgent=False, most_pixels=5000)
        assert head["segments"] >= label_map.max()
        assert label_map.size <= 5000


@pytest.mark.parametrize("count", [0, 255, 256, 65_535, 65_536])
def test_numbers_of_any_size_arrive_as_they_were(count):
    numbers = np.arange(300 * 300, dtype=np.int32).reshape(300, 300) % (count + 1)
    head, decoded = decode(encode_answer({"segments": count}, numbers))
    np.testing.assert_array_equal(decoded, numbers)
    assert head["segments"] == count


def test_a_click_and_a_box_find_the_disc_they_are_on(client):
    pixels = draw_discs()
    left = np.zeros(pixels.shape[:2], np.uint8)
    cv2.circle(left, (40, 40), 20, 1, -1)
    image = send(client, pixels)
    for marks in ({"points": [[40, 40, True]]}, {"boxes": [[17, 17, 64, 64, True]]}):
        head, label_map = ask(client, image, **marks)
        found = label_map > 0
        assert np.count_nonzero(found & (left > 0)) / np.count_nonzero(found | (left > 0)) > 0.95
        assert head["method"] == "prompt"


def test_a_negative_box_keeps_out_what_is_in_it(client):
    image = send(client, draw_discs())
    both = {"points": [[40, 40, True], [80, 120, True]]}
    _, label_map = ask(client, image, **both)
    assert label_map[80, 130]
    assert label_map[40, 30]
    _, label_map = ask(client, image, points=both["points"][:1], boxes=[[50, 90, 110, 150, False]])
    assert not label_map[50:110, 90:150].any()
    assert label_map[40, 30]


def test_marks_that_hit_nothing_are_an_answer_and_not_an_error(client):
    image = send(client, draw_discs())
    head, label_map = ask(client, image, points=[[40, 40, False]], choice={"method": "grabcut"})
    assert head["note"]
    assert not label_map.any()


def test_labels_say_which_segment_is_which(client):
    image = send(client, draw_discs())
    labels = [{"name": "Small"}, {"name": "Large"}]
    choice = {"method": "threshold", "labels": {"rule": "size"}}
    head, label_map = ask(client, image, choice=choice, labels=labels)
    assert head["segments"] == 2
    assert [head["labels"][label_map[40, 40] - 1], head["labels"][label_map[80, 120] - 1]] == [0, 1]
    # predicted_values leave out what no label wants
    wanted = [{"name": "Dark", "predicted_values": ["cluster-0"]}]
    head, _ = ask(client, image, choice={"method": "kmeans", "params": {"n_clusters": 3}}, labels=wanted)
    assert head["labels"] == [0] * head["segments"]


def test_a_large_photo_is_answered_at_the_size_a_screen_shows(client):
    image = send(client, draw_discs(2200, 2900))
    head, label_map = ask(client, image, choice={"method": "threshold"})
    assert label_map.size == head["height"] * head["width"] <= MOST_PIXELS
    assert label_map.max() == head["segments"] == 2


def test_photos_that_are_not_kept_and_bodies_that_make_no_sense_are_refused_in_words(client):
    image = send(client, draw_discs())
    unknown = client.post("/playground/segment", json={"image": "0" * 32})
    assert unknown.status_code == 404
    assert unknown.get_json()["error"] == "image_not_found"
    bodies = [
        {"image": "../etc"},
        {},
        {"image": image, "points": [[1, 2]]},
        {"image": image, "points": [[1, 2, True]] * 101},
        {"image": image, "boxes": [[9, 9, 3, 3, True]]},
        {"image": image, "choice": {"method": "nothing"}},
        {"image": image, "choice": {"params": {"scale": "x"}, "method": "felzenszwalb"}},
        {"image": image, "choice": {"unknown": 1}},
        {"image": image, "labels": [{"name": ""}]},
        {"image": image, "unknown": 1},
    ]
    for body in bodies:
        response = client.post("/playground/segment", json=body)
        assert response.status_code == 400, body
        assert response.get_json()["detail"]
    assert client.post("/playground/images", data=b"").status_code == 400
    assert client.post("/playground/images", data=b"no image").status_code == 415
    assert client.post("/playground/segment", data=b"x" * 1_000_001).status_code == 413


def test_what_the_browser_cannot_show_is_shown_by_the_server(client):
    pixels = draw_discs()
    body = cv2.imencode(".tiff", pixels[..., ::-1])[1].tobytes()
    image = client.post("/playground/images", data=body).get_json()["image"]
    response = client.get(f"/playground/images/{image}")
    assert response.mimetype == "image/jpeg"
    shown = cv2.imdecode(np.frombuffer(response.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(shown.astype(int) - pixels).mean() < 3


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, 200),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, 403),
    ],
)
def test_pages_of_other_sites_cannot_send_anything(client, headers, status):
    response = client.post("/playground/images", data=png(draw_discs()), headers=headers)
    assert response.status_code == status
    assert client.get("/playground", headers=headers).status_code == 200


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(client):
    page = client.get("/playground")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "http" not in page.text
    assert " style=" not in page.text
    assert not re.search(r"\son\w+=", page.text)
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", page.text))


def test_the_form_starts_from_the_servers_own_default(make_settings):
    default = {"method": "kmeans", "params": {"n_clusters": 7}, "regions": {"max": 5}, "labels": {"rule": "size"}}
    form = create_app(make_settings(default=default)).test_client().get("/playground/methods").get_json()
    assert form["default"] == "kmeans"
    knobs = {method["name"]: {knob["name"]: knob["default"] for knob in method["knobs"]} for method in form["methods"]}
    assert set(knobs) == set(METHODS)
    assert knobs["kmeans"]["n_clusters"] == 7
    assert knobs["felzenszwalb"]["scale"] == METHODS["felzenszwalb"].params_class().scale
    assert {knob["name"]: knob["default"] for knob in form["regions"]}["max_regions"] == 5
    assert {knob["name"]: knob["default"] for knob in form["labels"]}["rule"] == "size"


def test_a_slider_of_the_clean_up_does_not_run_the_method_again():
    pixels = draw_discs()
    calls = []

    def recipe_of(choice: dict):
        recipe = build_recipe({"method": "kmeans", **choice})
        function = recipe.method.function

        @functools.wraps(function)
        def count(image, params, prompt):
            calls.append(params)
            return function(image, params, prompt)

        return dataclasses.replace(recipe, method=dataclasses.replace(recipe.method, function=count))

    found = FoundBefore()
    choices = [{}, {"regions": {"max": 2}}, {"params": {"n_clusters": 2}}, {"regions": {"instances": "keep"}}, {}]
    for choice in choices:
        with found.reusing(recipe_of(choice)) as recipe:
            again = compute_segments(pixels, recipe)
        truth = compute_segments(pixels, build_recipe({"method": "kmeans", **choice}))
        np.testing.assert_array_equal(again.label_map, truth.label_map)
    assert len(calls) == 2


def other_value(knob):
    """Return a value of a knob that is not its default, near it."""
    if knob.choices:
        return next(choice for choice in knob.choices if choice != knob.default)
    if knob.kind is bool:
        return not knob.default
    value = knob.kind(knob.default * 1.5 + 1)
    return value if value <= knob.high else knob.kind((knob.low + knob.default) / 2)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_reused_between_two_values_of_a_knob_changes_no_pixel(name):
    """The stages of the defaults serve each knob in turn, so that whatever wrote into one of them would be seen."""
    pixels = draw_discs()
    found = FoundBefore()
    knobs = METHODS[name].knobs
    for params in (
        {},
        *({knob.name: other_value(knob)} for knob in knobs),
        *({knob.name: knob.default} for knob in knobs),
    ):
        recipe = build_recipe({"method": name, "params": params})
        with found.reusing(recipe) as reusing:
            again = compute_segments(pixels, reusing)
        np.testing.assert_array_equal(again.label_map, compute_segments(pixels, recipe).label_map)


def test_a_stage_is_computed_once_for_an_image_and_its_knobs():
    calls = []

    def half(image, factor):
        calls.append(factor)
        return image * factor

    image = draw_discs()
    other = image.copy()
    other[0, 0] ^= 1
    assert stage(half, image, 0.5) is not stage(half, image, 0.5)
    calls.clear()
    kept = Recent(10_000_000, bytes_of)
    with kept_by(kept):
        first = stage(half, image, 0.5)
        assert stage(half, image.copy(), 0.5) is first
        assert stage(half, other, 0.5) is not first
        assert stage(half, image, 0.25) is not first
        assert stage(half, image[:, ::-1], 0.5) is not first
    assert calls == [0.5, 0.5, 0.25, 0.5]
    assert kept.size == 4 * first.nbytes
    stage(half, image, 0.5)
    assert len(calls) == 5


def test_a_draft_is_smaller_and_near_the_exact_masks(client):
    pixels = np.repeat(np.repeat(draw_discs(), 2, axis=0), 2, axis=1)
    image = send(client, pixels)
    labels = [{"name": "Disc"}]
    exact_head, exact = ask(client, image, choice={"method": "threshold"}, labels=labels)
    head, draft = ask(client, image, choice={"method": "threshold"}, labels=labels, draft_pixels=10_000)
    assert 8_000 < draft.size < 12_000
    assert head["labels"] == exact_head["labels"] == [0] * head["segments"]
    enlarged = cv2.resize(draft, exact.shape[::-1], interpolation=cv2.INTER_NEAREST)
    assert np.count_nonzero((enlarged > 0) != (exact > 0)) < 0.02 * exact.size


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_photos_leave_by_size_and_by_age():
    clock = Clock()
    size = draw_discs().nbytes
    kept = KeptImages(ImageLimits(), most_bytes=2 * size, expiry_s=100, now=clock)
    files = [png(np.roll(draw_discs(), shift, axis=1)) for shift in range(3)]
    first, second = (kept.decode(body).digest for body in files[:2])
    kept.find(first)
    third = kept.decode(files[2]).digest
    with pytest.raises(ImageNotFound):
        kept.find(second)
    clock.seconds = 60
    kept.find(first)
    clock.seconds = 120
    kept.find(first)
    with pytest.raises(ImageNotFound):
        kept.find(third)
    with pytest.raises(ImageTooLarge):
        kept.decode(png(draw_discs(300, 300)))


def test_a_photo_that_nobody_asks_about_leaves_memory_by_itself():
    kept = KeptImages(ImageLimits(), expiry_s=0.05)
    kept.decode(png(draw_discs()))
    sweeper = kept._sweeper
    sweeper.join(10)
    for _ in range(100):
        if not kept._kept:
            break
        threading.Event().wait(0.05)
    assert not kept._kept


def test_of_those_that_wait_only_the_newest_gets_its_turn():
    turns, done = Turns(), []
    release, entered = threading.Event(), threading.Event()

    def work(lane: str, number: int, hold: bool = False) -> None:
        with turns.take(lane, number) as is_wanted:
            if hold:
                entered.set()
                release.wait(10)
            done.append((lane, number, is_wanted))

    def start(*args) -> threading.Thread:
        thread = threading.Thread(target=work, args=args)
        thread.start()
        return thread

    first = start("a", 1, True)
    assert entered.wait(10)
    second = start("a", 2)
    third = start("a", 3)
    second.join(10)
    assert done == [("a", 2, False)]
    # another lane does not wait, and one that comes late is told so at once
    for other in (start("b", 1), start("a", 2)):
        other.join(10)
    assert done[1:] == [("b", 1, True), ("a", 2, False)]
    release.set()
    first.join(10)
    third.join(10)
    assert done[3:] == [("a", 1, True), ("a", 3, True)]
    assert len(turns) == 0


@pytest.fixture
def connected(client, file_server):
    """A client whose server knows a project with two tasks."""
    client.post("/setup", json={"project": PROJECT, "schema": CONFIG, "hostname": file_server.url, "access_token": "t"})
    for name in ("one.png", "two.png"):
        write_image(file_server.folder / "data/upload/1" / name, draw_discs())
    tasks = [
        {"id": 5, "data": {"image": "/data/upload/1/one.png"}},
        {"id": 6, "data": {"image": "/data/upload/1/two.png"}},
    ]
    (file_server.folder / "api").mkdir()
    (file_server.folder / "api/tasks").write_text(json.dumps({"tasks": tasks, "total": 2}))
    return client


def test_tasks_of_a_project_are_photos_without_being_opened_in_label_studio(connected, file_server):
    (project,) = connected.get("/playground/projects").get_json()["projects"]
    assert project["project"] == PROJECT
    told = connected.get(f"/playground/project?project={PROJECT}").get_json()
    assert [task["id"] for task in told["tasks"]] == [5, 6]
    assert told["labels"] == [{"name": "Object", "predicted_values": []}]
    assert told["choice"]["method"] == "auto"
    image = connected.post("/playground/task", json={"project": PROJECT, "task": 6}).get_json()
    assert (image["height"], image["width"]) == draw_discs().shape[:2]
    head, _ = ask(connected, image["image"], choice={"method": "threshold"})
    assert head["segments"] == 2
    assert not [path for path in file_server.asked if path.startswith("/api/tasks/")]
    assert connected.post("/playground/task", json={"project": PROJECT, "task": 99}).status_code == 404
    assert connected.post("/playground/task", json={"project": "2.1", "task": 5}).status_code == 400
    assert connected.get("/playground/project?project=2.1").status_code == 400


def version_of(client) -> str:
    return client.get("/versions").get_json()["versions"][0]


def predict(client) -> dict:
    body = {
        "project": PROJECT,
        "label_config": CONFIG,
        "tasks": [{"id": 5, "data": {"image": "/data/upload/1/one.png"}}],
    }
    return client.post("/predict", json=body).get_json()


def test_a_saved_setting_is_the_projects_and_lasts(connected, make_settings, file_server):
    before = predict(connected)
    choice = {"method": "threshold", "regions": {"max": 1}}
    saved = connected.post("/playground/save", json={"project": PROJECT, "choice": choice}).get_json()
    assert saved["note"] == ""
    after = predict(connected)
    assert after["model_version"] == saved["model_version"] == version_of(connected) != before["model_version"]
    assert len(after["results"][0]["result"]) == 1
    # Label Studio says the same again, and the server starts anew
    again = create_app(make_settings()).test_client()
    setup = {"project": PROJECT, "schema": CONFIG, "hostname": file_server.url, "access_token": "t"}
    assert again.post("/setup", json=setup).get_json()["model_version"] == saved["model_version"]
    back = again.post("/playground/save", json={"project": PROJECT, "choice": {}}).get_json()
    assert back["model_version"] == before["model_version"]


def test_what_is_nearer_than_a_saved_setting_wins_and_is_told(make_settings, file_server):
    settings = make_settings(projects={"1": {"method": "multi_otsu"}}, default={"method": "slic"})
    client = create_app(settings).test_client()
    setup = {"project": PROJECT, "schema": CONFIG, "hostname": file_server.url, "access_token": "t"}
    assert "multi_otsu" in client.post("/setup", json=setup).get_json()["model_version"]
    saved = client.post("/playground/save", json={"project": PROJECT, "choice": {"method": "kmeans"}}).get_json()
    assert "kmeans" in saved["model_version"]
    extra = {**setup, "extra_params": {"method": "threshold"}}
    assert "threshold" in client.post("/setup", json=extra).get_json()["model_version"]
    saved = client.post("/playground/save", json={"project": PROJECT, "choice": {"method": "kmeans"}}).get_json()
    assert "threshold" in saved["model_version"]
    assert "mask" in saved["note"]


def test_a_setting_that_does_not_fit_is_refused_and_nothing_changes(connected):
    before = version_of(connected)
    for choice in ({"method": "nothing"}, {"params": {"scale": 1}, "method": "kmeans"}, {"unknown": 1}, {"": 1}):
        response = connected.post("/playground/save", json={"project": PROJECT, "choice": choice})
        assert response.status_code == 400, choice
    assert connected.post("/playground/save", json={"project": "3.1", "choice": {}}).status_code == 400
    assert version_of(connected) == before


@pytest.mark.parametrize(
    ("server", "host", "is_seen"),
    [
        ({}, "127.0.0.1:9090", True),
        ({}, "localhost", True),
        ({}, "[::1]:9090", True),
        ({}, "rebound.example:9090", False),
        ({"host": "0.0.0.0"}, "127.0.0.1:9090", False),
        ({"host": "0.0.0.0", "basic_auth_user": "u", "basic_auth_pass": "p"}, "prebrush.example", True),
    ],
)
def test_projects_are_for_this_machine_or_behind_a_password(make_settings, server, host, is_seen):
    assert may_see_projects(make_settings(server=server), host) is is_seen


def test_where_projects_may_not_be_seen_nothing_of_them_is_told(connected):
    foreign = {"Host": "10.0.0.7:9090"}
    assert connected.get("/playground/projects", headers=foreign).get_json() == {"projects": []}
    assert connected.get(f"/playground/project?project={PROJECT}", headers=foreign).status_code == 403
    for route in ("task", "save"):
        response = connected.post(f"/playground/{route}", json={"project": PROJECT}, headers=foreign)
        assert response.status_code == 403
