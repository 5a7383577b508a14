"""The playground's calls: a photo is sent once, and each answer is a label map."""

import re
import threading

import cv2
import numpy as np
import pytest

from prebrush.errors import ImageNotFound, ImageTooLarge
from prebrush.images import ImageLimits
from prebrush.recipes import build_recipe
from prebrush.segmentation import METHODS
from prebrush.segmenter import compute_segments
from prebrush.web import create_app
from prebrush.web.playground_images import KeptImages
from prebrush.web.playground_segments import MOST_PIXELS, encode_answer
from prebrush.web.playground_turns import Turns

from .conftest import draw_discs
from .playground_calls import ask, decode, png, send


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
