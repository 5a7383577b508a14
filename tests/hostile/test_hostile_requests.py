"""A real server under hostile requests: each gets its 4xx or an empty task, in bounded memory and time."""

import base64
import json
import os

import pytest

from . import bombs
from .measured_server import MeasuredServer

CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image">'
    '<Label value="Object"/></BrushLabels></View>'
)
MEGABYTES = 1 << 20
RIGHT_S = 10.0


def body(tasks: object = (), config: str = CONFIG, **more: object) -> bytes:
    return json.dumps({"tasks": tasks, "project": "1.1", "label_config": config, "params": {}, **more}).encode()


def data_url(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def task(image: bytes, number: int = 1) -> dict:
    return {"id": number, "data": {"image": data_url(image)}}


GOOD = task(bombs.small("PNG"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with MeasuredServer(tmp_path_factory.mktemp("server"), PREBRUSH_SERVER_ANSWER_WITHIN_S="30") as server:
        # what a first prediction loads is not held against anybody
        assert server.ask("POST", "/predict", body=body([GOOD])).json()["results"][0]["result"]
        yield server
    assert "Traceback" not in server.log
    assert server.log.count("internal error") == 0


@pytest.fixture(autouse=True)
def _still_well(server):
    yield
    assert server.ask("GET", "/health").json()["status"] == "UP"
    answer = server.ask("POST", "/predict", body=body([GOOD]))
    assert answer.status == 200
    assert answer.json()["results"][0]["result"]


def expect(server, path: str, content: bytes, statuses: set[int], *, mb: float = 30, seconds: float = RIGHT_S, **more):
    answer, took, rose = server.measure("POST", path, body=content, **more)
    assert answer.status in statuses, answer.data[:300]
    assert took < seconds
    assert rose < mb, f"{rose:.0f} MB"
    if answer.status >= 400:
        found = answer.json()
        assert set(found) == {"error", "detail"}
        assert len(answer.data) < 2000
    return answer


@pytest.mark.parametrize("image", bombs.REFUSED.values(), ids=bombs.REFUSED)
def test_what_is_no_picture_or_too_large_a_one_is_an_empty_task(server, image):
    answer = expect(server, "/predict", body([task(image)]), {200})
    assert answer.json()["results"] == [[]]
    answer = server.ask("POST", "/playground/segment", fields={"image": ("x.png", image), "choice": "{}"})
    assert 400 <= answer.status < 500


@pytest.mark.parametrize("image", bombs.HARMLESS.values(), ids=bombs.HARMLESS)
def test_what_hides_behind_a_picture_costs_little(server, image):
    answer = expect(server, "/predict", body([task(image)]), {200})
    assert len(answer.json()["results"]) == 1


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
XML = {
    "entity bomb": f'<!DOCTYPE View [<!ENTITY l0 "lol">{LAUGHS}]><View>&l9;</View>',
    "quadratic bomb": f'<!DOCTYPE View [<!ENTITY a "{"x" * 50_000}">]><View>{"&a;" * 50_000}</View>',
    "file": '<!DOCTYPE View [<!ENTITY f SYSTEM "file:///etc/passwd">]><View>&f;</View>',
    "address": '<!DOCTYPE View SYSTEM "http://127.0.0.1:1/x.dtd"><View/>',
    "parameter entity": '<!DOCTYPE View [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]><View/>',
    "deep": "<View>" * 200_000 + "</View>" * 200_000,
    "wide": "<View>" + "<a/>" * 500_000 + "</View>",
    "many attributes": "<View " + " ".join(f'a{n}="x"' for n in range(200_000)) + "/>",
    "one long attribute": f'<View a="{"x" * 20_000_000}"/>',
    "many tags to fill": "<View><Image name='i' value='$image'/>"
    + "".join(f"<BrushLabels name='b{n}' toName='i'/>" for n in range(50_000))
    + "</View>",
    "many labels": CONFIG.replace("<Label ", "".join(f"<Label value='{n}'/>" for n in range(200_000)) + "<Label "),
    "zero byte": "<View>\0</View>",
    "half a character": "<View>\ud800</View>",
}


@pytest.mark.parametrize("config", XML.values(), ids=XML)
def test_a_hostile_labeling_config_is_refused_by_predict_and_answered_by_setup(server, config):
    content = body([GOOD], config)
    answer = expect(server, "/predict", content, {400}, mb=30 + 8 * len(content) / MEGABYTES)
    assert "root:" not in answer.data.decode()
    setup = json.dumps({"project": "9.1", "schema": config, "extra_params": None}).encode()
    expect(server, "/setup", setup, {200, 400}, mb=30 + 8 * len(setup) / MEGABYTES, seconds=3)
    validate = json.dumps({"config": config}).encode()
    expect(server, "/validate", validate, {400}, mb=30 + 8 * len(validate) / MEGABYTES)


JSON = {
    "deep list": b"[" * 1_000_000,
    "deep object": b'{"a":' * 1_000_000,
    "deep in tasks": b'{"tasks":[{"data":' + b"[" * 500_000 + b"]" * 500_000 + b"}]}",
    "deep in what is passed over": b'{"tasks":[{"id":1,"data":{},"drafts":' + b"[" * 500_000 + b"]" * 500_000 + b"}]}",
    "NaN": b'{"tasks": NaN}',
    "infinity": b'{"tasks": [{"id": Infinity, "data": {}}]}',
    "a number beyond all": b'{"tasks": [{"id": 1e999, "data": {}}]}',
    "a long number": b'{"tasks": [{"id": ' + b"9" * 1_000_000 + b', "data": {}}]}',
    "no text": b"\xff\xfe" * 1000,
    "half a character": b'{"tasks": [{"id": "\\ud800", "data": 5}]}',
    "cut off": body([GOOD])[:-40],
    "two bodies": body([GOOD]) * 2,
    "nothing": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"tasks"',
}


@pytest.mark.parametrize("content", JSON.values(), ids=JSON)
@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook", "/validate", "/train", "/job_status", "/versions"])
def test_hostile_json_is_refused_or_means_nothing(server, path, content):
    # what a route does not read it passes over; an empty body asks the older routes for nothing in particular
    statuses = {400} if path in ("/predict", "/validate") else {200, 201, 400}
    expect(server, path, content, statuses)


WRONG = [None, True, 5, -1.5, 1e308, "", "x" * 1000, [], [[]], {}, {"a": {"b": []}}]
FIELDS = ["tasks", "project", "label_config", "params", "id", "data", "image", "drafts", "annotations", "context"]


@pytest.mark.parametrize("name", FIELDS)
def test_wrong_types_everywhere(server, name):
    for value in WRONG:
        request = json.loads(body([GOOD]))
        one = request["tasks"][0]
        place = {"image": one["data"], "context": request["params"]}.get(
            name, one if name in ("id", "data", "drafts", "annotations") else request
        )
        place[name] = value
        answer = expect(server, "/predict", json.dumps(request).encode(), {200, 400})
        if answer.status == 200:
            assert len(answer.json()["results"]) == len(request["tasks"])


MARK = {"type": "rectanglelabels", "to_name": "image", "from_name": "r", "id": "a"}
SHAPE = {"x": 10, "y": 10, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["Object"]}
MARKS = {
    "huge shape": {**MARK, "value": {**SHAPE, "width": 1e308, "height": 1e308}},
    "far away": {**MARK, "value": {**SHAPE, "x": -1e308}},
    "turned for ever": {**MARK, "value": {**SHAPE, "rotation": 1e308}},
    "no width": {**MARK, "value": {**SHAPE, "width": 0}},
    "huge image": {**MARK, "value": SHAPE, "original_width": 2**62, "original_height": 2**62},
    "no image": {**MARK, "value": SHAPE, "original_width": 0, "original_height": 0},
    "many corners": {**MARK, "type": "polygonlabels", "value": {"points": [[n % 100, n % 97] for n in range(100_000)]}},
    "mask of another size": {**MARK, "type": "brushlabels", "value": {"format": "rle", "rle": [255] * 200_000}},
    "mask of huge claims": {**MARK, "type": "brushlabels", "value": {"format": "rle", "rle": [255, 255, 255, 255, 57]}},
    "text for a number": {**MARK, "value": {**SHAPE, "x": "10"}},
    "no value": {**MARK},
}


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
@pytest.mark.parametrize("times", [1, 200])
def test_hostile_marks_give_a_region_within_the_image_or_none(server, mark, times):
    times = 1 if len(json.dumps(mark)) > 10_000 else times
    params = {"context": {"result": [mark] * times}}
    answer = expect(server, "/predict", body([GOOD], params=params), {200, 400}, mb=60)
    if answer.status == 200 and answer.json()["results"] != [[]]:
        for region in answer.json()["results"][0]["result"]:
            assert (region["original_width"], region["original_height"]) == (64, 48)


def test_ten_thousand_tasks_are_answered_and_one_more_is_refused(server):
    tasks = [{"id": number, "data": {"image": f"/data/upload/1/{number}.png"}} for number in range(10_001)]
    answer = expect(server, "/predict", body(tasks[:-1]), {200}, mb=150, seconds=60)
    assert answer.json()["results"] == [[]] * 10_000
    expect(server, "/predict", body(tasks), {400}, mb=50)


LARGE = {
    "spaces": (lambda n: b" " * n, {400}),
    "one long text": (lambda n: b'{"tasks": "' + b"x" * n + b'"}', {400}),
    "numbers": (lambda n: b'{"tasks": [' + b"0," * (n // 2) + b"0]}", {400}),
    "empty tasks": (lambda n: b'{"tasks": [' + b"{}," * (n // 3) + b"{}]}", {400}),
    "tasks without end": (lambda n: b'{"tasks": [' + b'{"data":{}},' * (n // 12) + b'{"data":{}}]}', {400}),
    "things in the data of a task": (lambda n: b'{"tasks": [{"data": {"a": [' + b"[]," * (n // 3) + b"[]]}}]}", {400}),
    "things in what is marked": (
        lambda n: b'{"tasks": [], "params": {"context": {"a": [' + b"[]," * (n // 3) + b"[]]}}}",
        {400},
    ),
    "what is passed over": (
        lambda n: body([GOOD])[:-1] + b', "more": [' + b"0," * (n // 2) + b"0]}",
        {200},
    ),
}


LONG = bool(os.environ.get("PREBRUSH_TEST_LONG"))
SIZE = (200 if LONG else 30) * MEGABYTES
ROOM_MB = 30 + 2.1 * SIZE / MEGABYTES
"""The body itself, and once more while its pieces are joined."""


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_body(server, kind):
    build, statuses = LARGE[kind]
    expect(server, "/predict", build(SIZE), statuses, mb=ROOM_MB, seconds=30)


def test_a_body_of_200_mb(server):
    build, statuses = LARGE["tasks without end"]
    expect(server, "/predict", build(200 * MEGABYTES), statuses, mb=450, seconds=30)


@pytest.mark.parametrize(
    ("path", "content", "statuses"),
    [
        ("/setup", b'{"extra_params": [' + b"[]," * (SIZE // 3) + b"[]]}", {400}),
        ("/webhook", b'{"action": "TASKS_CREATED", "tasks": [' + b"{}," * (SIZE // 3) + b"{}]}", {400}),
        ("/webhook", b'{"action": "x", "more": [' + b"[]," * (SIZE // 3) + b"[]]}", {201}),
        ("/validate", b'{"config": "", "more": [' + b"[]," * (SIZE // 3) + b"[]]}", {400}),
    ],
    ids=["setup", "event of many tasks", "event with more", "older route"],
)
def test_other_routes_take_a_large_body_as_well(server, path, content, statuses):
    expect(server, path, content, statuses, mb=ROOM_MB, seconds=30)


@pytest.mark.parametrize("path", ["/predict", "/setup", "/webhook", "/playground/segment"])
def test_a_body_over_the_limit_is_not_read(server, path):
    answer = expect(server, path, bytes(270 * MEGABYTES), {413}, mb=20)
    assert "413" in str(answer.status)


def test_a_form_of_many_fields_is_refused(server):
    fields = {f"f{number}": "x" for number in range(20_000)}
    # refused before it is read to its end, so the connection is of no more use
    closing = {"Connection": "close"}
    answer, took, rose = server.measure("POST", "/playground/segment", fields=fields, headers=closing)
    assert 400 <= answer.status < 500
    assert took < RIGHT_S
    assert rose < 100


def test_headers_without_end_are_refused(server):
    answer, took, _ = server.measure("GET", "/health", headers={f"X-{number}": "x" * 4000 for number in range(200)})
    assert 400 <= answer.status < 500
    assert took < RIGHT_S
