"""As much of Label Studio's API as `prebrush prelabel` asks for, in memory: quick, and able to misbehave on demand.

The real one stands in `end_to_end`; this one is for many runs, lost answers and machines that die.
"""

import io
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image" model_method="threshold">'
    '<Label value="Object"/></BrushLabels></View>'
)
CREATED = "2026-11-23T10:00:00.000000Z"
KEY = "5" * 40


def draw(number: int, side: int = 64) -> bytes:
    """Draw a disc whose place and size depend on the number, as PNG."""
    rows, columns = np.mgrid[:side, :side]
    middle = side // 2 + number % 7 - 3
    disc = (rows - middle) ** 2 + (columns - middle) ** 2 < (side // 5 + number % 5) ** 2
    pixels = np.where(disc[..., None], (40, 210, 240), (25, 25, 30)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class StudioStub:
    """A project 7 of some tasks; every second id belongs to somebody else's project.

    Attributes
    ----------
    before_upload, after_upload : callable (tasks) -> bool
        Told of every upload before it is stored, and after; False drops the connection then.
    broken : set of int
        Tasks whose image is answered 404.
    """

    def __init__(self, tasks: int = 120, side: int = 64, label_config: str = CONFIG) -> None:
        self.tasks = {2 * number + 11: f"/data/upload/7/{number}.png" for number in range(tasks)}
        self.predictions: list[dict] = []
        self.label_config = label_config
        self.broken: set[int] = set()
        self.before_upload: Callable[[list[int]], bool] = lambda _: True
        self.after_upload: Callable[[list[int]], bool] = lambda _: True
        self.asked: list[str] = []
        self.extra_params: dict | None = None
        self._images: dict[int, bytes] = {}
        self._side = side
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self) -> dict[str, str]:
        """The variables that lead prebrush here."""
        return {"LABEL_STUDIO_URL": self.url, "LABEL_STUDIO_API_KEY": KEY}

    def versions_of(self, task: int) -> list[str]:
        with self._lock:
            return [each["model_version"] for each in self.predictions if each["task"] == task]

    def count_by_task(self) -> dict[int, int]:
        with self._lock:
            return {task: sum(each["task"] == task for each in self.predictions) for task in self.tasks}

    def image(self, task: int) -> bytes:
        number = task % 24
        if number not in self._images:
            self._images[number] = draw(number, self._side)
        return self._images[number]

    def list_tasks(self, query: dict) -> list[dict]:
        versions: dict[int, list[str]] = {}
        with self._lock:
            for each in self.predictions:
                versions.setdefault(each["task"], []).append(each["model_version"])
        found = [
            {"id": task, "data": {"image": address}, "project": 7, "total_predictions": len(versions.get(task, ()))}
            for task, address in list(self.tasks.items())
        ]
        for item in query.get("filters", {}).get("items", ()):
            column, value = item["filter"].removeprefix("filter:tasks:"), item["value"]
            if column == "id" and item["operator"] == "greater_or_equal":
                found = [task for task in found if task["id"] >= value]
            elif column == "id":
                assert item["operator"] == "in"
                found = [task for task in found if value["min"] <= task["id"] <= value["max"]]
            elif column == "predictions_model_versions":
                assert isinstance(value, list)
                wanted = {"contains": True, "not_contains": False}[item["operator"]]
                found = [task for task in found if bool(set(versions.get(task["id"], ())) & set(value)) == wanted]
            elif column == "total_predictions":
                found = [task for task in found if task["total_predictions"] == value]
            else:
                assert column == "total_annotations"
        backwards = query.get("ordering") == ["-tasks:id"]
        return sorted(found, key=lambda task: task["id"], reverse=backwards)

    def store(self, entries: list[dict]) -> None:
        with self._lock:
            for entry in entries:
                self.predictions.append({**entry, "id": len(self.predictions) + 1})


class _Handler(BaseHTTPRequestHandler):
    stub: StudioStub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, value: object, status: int = 200) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "image/png" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        stub, parts = self.stub, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        stub.asked.append(parts.path)
        if self.headers.get("Authorization") != f"Token {KEY}":
            self.answer({"detail": "Invalid token."}, 401)
        elif parts.path == "/api/projects/7/":
            self.answer({"id": 7, "title": "Discs", "label_config": stub.label_config, "created_at": CREATED})
        elif parts.path == "/api/ml/":
            self.answer(
                [] if stub.extra_params is None else [{"id": 1, "project": 7, "extra_params": stub.extra_params}]
            )
        elif parts.path == "/api/tasks/":
            found = stub.list_tasks(json.loads(query.get("query", "{}")))
            size = int(query["page_size"])
            self.answer({"tasks": found[:size], "total": len(found), "total_annotations": 0, "total_predictions": 0})
        elif parts.path.startswith("/data/upload/"):
            task = next((task for task, address in stub.tasks.items() if address == parts.path), 0)
            self.answer({}, 404) if task in stub.broken or not task else self.answer(stub.image(task))
        elif parts.path == "/api/predictions/":
            wanted = int(query["task"])
            self.answer([each for each in list(stub.predictions) if each["task"] == wanted])
        else:
            self.answer({"detail": "Not found."}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.stub.asked.append(self.path)
        assert self.path == "/api/projects/7/import/predictions"
        entries = json.loads(body)
        tasks = [entry["task"] for entry in entries]
        if not self.stub.before_upload(tasks):
            self.close_connection = True
            return
        unknown = [task for task in tasks if task not in self.stub.tasks]
        if unknown:
            self.answer(
                {"detail": "Validation error", "validation_errors": {"non_field_errors": [f"no {unknown}"]}}, 400
            )
            return
        self.stub.store(entries)
        if not self.stub.after_upload(tasks):
            self.close_connection = True
            return
        self.answer({"created": len(entries)}, 201)

    def do_DELETE(self) -> None:
        number = int(self.path.rstrip("/").rpartition("/")[2])
        self.stub.predictions = [each for each in self.stub.predictions if each["id"] != number]
        self.send_response(204)
        self.end_headers()


def later(seconds: float, act: Callable[[], None]) -> None:
    """Do something after a while, in a thread of its own."""

    def run() -> None:
        time.sleep(seconds)
        act()

    threading.Thread(target=run, daemon=True).start()
