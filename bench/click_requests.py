"""What a click costs in the server: warm, on an image never seen, on eight images at once, beside 200 annotations."""

import itertools
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from flask.testing import FlaskClient

from bench.harness import Row, WrongResultError
from bench.images import mosaic
from bench.warm_request import CONFIG, PhotoServer
from prebrush.labelstudio import rle
from prebrush.settings import Settings, StorageSettings, StudioSettings
from prebrush.warming import warm_kernels
from prebrush.web import create_app

SIZES = {"1 MP": (1000, 1000), "2 MP": (1200, 1700), "12 MP": (3000, 4000)}
CLICKS = 100
PEOPLE = 8


def rows() -> Iterator[Row]:
    warm_kernels()
    with tempfile.TemporaryDirectory() as name:
        uploads = Path(name) / "data/upload/1"
        uploads.mkdir(parents=True)
        for size, (height, width) in SIZES.items():
            write_jpeg(uploads / f"{size[:-3]}.jpg", photo(height, width), 0)
        for number in range(PEOPLE):
            write_jpeg(uploads / f"own{number}.jpg", photo(1000, 1500), number)
        server = PhotoServer(Path(name))
        settings = Settings(
            label_studio=StudioSettings(url=server.url), storage=StorageSettings(url=f"sqlite:///{name}/kept")
        )
        client = create_app(settings).test_client()
        yield warm_row(client, "1 MP")
        yield warm_row(client, "2 MP")
        yield crowded_row(client)
        yield cold_row(client, uploads, "2 MP", 500)
        yield cold_row(client, uploads, "12 MP", 900)
        yield people_row(client)
        server.stop()


def photo(height: int, width: int) -> np.ndarray:
    return np.ascontiguousarray(mosaic(12)[:height, :width])


def write_jpeg(path: Path, image: np.ndarray, number: int) -> None:
    """Write an image, each number with pixels of its own."""
    image = np.roll(image, 97 * number, axis=1)
    image[0, 0] = (number % 256, number // 256 % 256, 0)
    path.write_bytes(cv2.imencode(".jpg", image[..., ::-1])[1].tobytes())


def body_of(name: str, x: float, y: float, annotations: list[Any] | None = None) -> bytes:
    """Write what the editor sends for a click at a place in percent."""
    mark = {"value": {"x": x, "y": y, "keypointlabels": ["Object"]}, "type": "keypointlabels", "is_positive": True}
    body = {
        "tasks": [{"id": 1, "data": {"image": f"/data/upload/1/{name}"}, "annotations": annotations or []}],
        "project": "1.1",
        "label_config": CONFIG.format(attributes=""),
        "params": {"context": {"result": [{**mark, "to_name": "image", "from_name": "p", "id": "a"}]}},
    }
    return json.dumps(body).encode()


def ask(client: FlaskClient, body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/predict", data=body, content_type="application/json").json or {}
    return answer


def places() -> Iterator[tuple[float, float]]:
    """Give places all over the image, in percent."""
    rng = np.random.default_rng(0)
    while True:
        yield tuple(rng.uniform(5, 95, 2).tolist())


def has_mask(answer: dict[str, Any]) -> str:
    (region,) = answer["results"][0]["result"]
    mask = rle.decode_mask(region["value"]["rle"], region["original_height"], region["original_width"])
    if not mask.any():
        raise WrongResultError("an empty mask")
    return f"a mask of {mask.mean():.0%} of the image"


def warm_row(client: FlaskClient, size: str) -> Row:
    at = places()

    def check(_: Any, __: None) -> str:
        times = []
        for _click in range(CLICKS):
            place = next(at)
            start = time.perf_counter()
            answer = ask(client, body_of(f"{size[:-3]}.jpg", *place))
            times.append(1e3 * (time.perf_counter() - start))
            has_mask(answer)
        p50, p99 = statistics.median(times), float(np.percentile(times, 99))
        if p99 > 200:
            raise WrongResultError(f"p99 is {p99:.0f} ms")
        return f"{CLICKS} places: p50 {p50:.0f} ms, p99 {p99:.0f} ms"

    return Row("warm click", size, lambda: ask(client, body_of(f"{size[:-3]}.jpg", *next(at))), check, limit_ms=50)


def crowded_row(client: FlaskClient) -> Row:
    stream = rle.encode_mask(np.random.default_rng(1).random((200, 300)) < 0.05).tolist()
    value = {"format": "rle", "rle": stream, "brushlabels": ["Object"]}
    region = {"id": "r", "from_name": "mask", "to_name": "image", "type": "brushlabels", "value": value}
    annotations = [{"id": number, "result": [region]} for number in range(200)]
    large, small = body_of("1.jpg", 40, 40, annotations), body_of("1.jpg", 40, 40)
    return Row(
        name="warm click beside 200 annotations",
        input=f"1 MP, a body of {len(large) / 1e6:.0f} MB",
        ours=lambda: ask(client, large),
        reference=lambda: ask(client, small),
        check=lambda answer, _: has_mask(answer) + "; reference: the same click without them",
    )


def cold_row(client: FlaskClient, uploads: Path, size: str, limit_ms: float) -> Row:
    image = photo(*SIZES[size])
    numbers = itertools.count()
    for number in range(8):
        write_jpeg(uploads / f"cold{size[:-3]}_{number}.jpg", image, number)

    def cold() -> dict[str, Any]:
        return ask(client, body_of(f"cold{size[:-3]}_{next(numbers)}.jpg", 40, 40))

    return Row("cold click", f"{size} JPEG", cold, lambda answer, _: has_mask(answer), limit_ms=limit_ms, rounds=5)


def people_row(client: FlaskClient) -> Row:
    for number in range(PEOPLE):
        ask(client, body_of(f"own{number}.jpg", 50, 50))
    at = places()

    def all_at_once() -> list[float]:
        times = [0.0] * PEOPLE

        def click(number: int, place: tuple[float, float]) -> None:
            start = time.perf_counter()
            ask(client.application.test_client(), body_of(f"own{number}.jpg", *place))
            times[number] = 1e3 * (time.perf_counter() - start)

        threads = [threading.Thread(target=click, args=(number, next(at))) for number in range(PEOPLE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return times

    def check(_: Any, __: None) -> str:
        times = [each for _round in range(10) for each in all_at_once()]
        p95 = float(np.percentile(times, 95))
        if p95 > 500:
            raise WrongResultError(f"p95 is {p95:.0f} ms")
        return f"p95 of a click {p95:.0f} ms"

    return Row(f"{PEOPLE} people click at once", "1.5 MP each, warm", all_at_once, check, limit_ms=500)
