"""What a request costs in the server: warm from the storage, cold with the default method, a large body parsed."""

import http.server
import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
from flask.testing import FlaskClient

from bench.harness import Row, WrongResultError
from bench.images import photograph
from prebrush.labelstudio.request import PredictRequest, parse_predict
from prebrush.settings import Settings, StorageSettings, StudioSettings
from prebrush.warming import warm_kernels
from prebrush.web import create_app

CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image" {attributes}>'
    '<Label value="Object"/></BrushLabels></View>'
)
TWENTY = 'model_method="felzenszwalb" model_max_regions="20"'


class PhotoServer:
    """A web server on loopback that counts what is fetched."""

    def __init__(self, folder: Path) -> None:
        fetched = self.fetched = list[str]()

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, directory=str(folder), **kwargs)

            def do_GET(self) -> None:
                fetched.append(self.path)
                super().do_GET()

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


def rows() -> Iterator[Row]:
    warm_kernels()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uploads = folder / "data/upload/1"
        uploads.mkdir(parents=True)
        for megapixels in (1, 12):
            image = photograph("coffee", megapixels)[..., ::-1]
            (uploads / f"{megapixels}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
        server = PhotoServer(folder)
        settings = Settings(
            label_studio=StudioSettings(url=server.url), storage=StorageSettings(url=f"sqlite:///{folder}/kept")
        )
        client = create_app(settings).test_client()
        yield warm_row(client, server)
        for megapixels, limit_ms in ((1, 120), (12, 400)):
            yield cold_row(client, megapixels, limit_ms)
        yield parsing_row()
        server.stop()


def ask(client: FlaskClient, megapixels: int, task: int, attributes: str) -> bytes:
    body = {
        "tasks": [{"id": task, "data": {"image": f"/data/upload/1/{megapixels}.jpg"}}],
        "project": "1.1",
        "label_config": CONFIG.format(attributes=attributes),
        "params": {"context": None},
    }
    return client.post("/predict", json=body).data


def warm_row(client: FlaskClient, server: PhotoServer) -> Row:
    def check(answer: bytes, _: None) -> str:
        regions = json.loads(answer)["results"][0]["result"]
        server.fetched.clear()
        ask(client, 1, 1, TWENTY)
        if len(regions) != 20 or server.fetched:
            raise WrongResultError(f"{len(regions)} regions, fetched {server.fetched}")
        return f"{len(regions)} regions, {len(answer) / 1e6:.2f} MB, nothing fetched"

    return Row(
        name="warm /predict",
        input="1 MP photo, 20 regions, SQLite",
        ours=lambda: ask(client, 1, 1, TWENTY),
        check=check,
        limit_ms=10,
    )


def cold_row(client: FlaskClient, megapixels: int, limit_ms: float) -> Row:
    counter = iter(range(10**9))

    def check(answer: bytes, _: None) -> str:
        regions = json.loads(answer)["results"][0]["result"]
        if not regions:
            raise WrongResultError("no region")
        return f"{len(regions)} regions; fetch on loopback included"

    def cold() -> bytes:
        # another area bound each time, too small to change a pixel: nothing that was cached fits
        number = next(counter)
        return ask(client, megapixels, number, f'model_fill_holes="{100 + number}"')

    return Row(
        name="cold /predict",
        input=f"{megapixels} MP JPEG, default method",
        ours=cold,
        check=check,
        limit_ms=limit_ms,
        rounds=9,
    )


def parsing_row() -> Row:
    region = {"id": "a", "type": "brushlabels", "value": {"format": "rle", "rle": [0, 255, 13, 200] * 25_000}}
    task = {"id": 1, "data": {"image": "/x.jpg"}, "annotations": [{"result": [region] * 45}], "predictions": []}
    body = json.dumps(
        {"tasks": [task], "project": "1.1", "label_config": "<View/>", "params": {"context": {"result": []}}}
    ).encode()

    def check(ours: PredictRequest, reference: Any) -> str:
        if ours.tasks[0].data != reference["tasks"][0]["data"]:
            raise WrongResultError("the task's data differ")
        return f"{len(body) / 1e6:.0f} MB of annotations passed over"

    return Row(
        name="parse /predict",
        input="interactive body with 45 masks",
        ours=lambda: parse_predict(body),
        reference=lambda: json.loads(body),
        check=check,
        limit_ms=60,
    )
