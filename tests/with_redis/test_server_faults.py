"""The whole server while its Redis fails: it answers in time, with the right masks, and forgets nothing."""

import contextlib
import functools
import itertools
import logging
import time

import cv2
import numpy as np
import pytest
import redis

import prebrush.predictor
from prebrush.predictor import build_predictor
from prebrush.settings import ServerSettings, Settings, StorageSettings, StudioSettings
from prebrush.storage import ForgivingStorage, on_redis
from prebrush.web import create_app
from redis_gate import Gate
from redis_servers import cluster, redis_server, sentinel_group, wait_until

pytestmark = pytest.mark.usefixtures("warm")

CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image">'
    '<Label value="Object"/></BrushLabels></View>'
)
HEALTH_S, SETUP_S = 1.0, 3.0
"""Label Studio waits no longer."""
PREDICT_S = 10.0
NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(on_redis, "_PAUSE_S", 0.3)
    monkeypatch.setattr(
        prebrush.predictor, "ForgivingStorage", functools.partial(ForgivingStorage, retry_s=0.1, calm_s=1.0)
    )


class Team:
    """A server on a storage, and what Label Studio would see of it."""

    def __init__(self, storage_url: str, images_url: str) -> None:
        self.settings = Settings(
            server=ServerSettings(jobs=1),
            label_studio=StudioSettings(url=images_url),
            storage=StorageSettings(url=storage_url),
        )
        self.predictor = build_predictor(self.settings)
        self.client = create_app(self.settings, self.predictor).test_client()

    def ask(self, method: str, path: str, seconds: float, **more):
        started = time.monotonic()
        answer = self.client.open(path, method=method, **more)
        assert time.monotonic() - started < seconds, (path, time.monotonic() - started)
        return answer

    def set_up(self, project: str, clusters: int) -> str:
        extra = {"method": "kmeans", "params": {"n_clusters": clusters}}
        body = {"project": project, "schema": CONFIG, "hostname": "", "access_token": "", "extra_params": extra}
        answer = self.ask("POST", "/setup", SETUP_S, json=body)
        assert answer.status_code == 200
        return answer.get_json()["model_version"]

    def masks(self, project: str) -> list:
        """Predict a task nobody asked for before: its segments may come from the storage, its answer may not."""
        task = {"id": next(NUMBERS), "data": {"image": "/data/upload/1/scene.png"}}
        body = {"tasks": [task], "project": project, "label_config": CONFIG, "params": {}}
        answer = self.ask("POST", "/predict", PREDICT_S, json=body)
        assert answer.status_code == 200
        return [region["value"] for region in answer.get_json()["results"][0]["result"]]

    def versions(self, project: str) -> list[str]:
        return self.ask("GET", "/versions", SETUP_S, json={"project": project}).get_json()["versions"]

    def close(self) -> None:
        self.predictor.close()


@pytest.fixture
def start(file_server):
    """Start servers on one storage."""
    pixels = np.full((60, 80, 3), 25, np.uint8)
    for at, colour in (((20, 20), (230, 220, 60)), ((60, 40), (90, 200, 240)), ((30, 45), (200, 40, 90))):
        cv2.circle(pixels, at, 12, colour, -1)
    path = file_server.folder / "data/upload/1/scene.png"
    path.parent.mkdir(parents=True)
    assert cv2.imwrite(str(path), pixels)
    with contextlib.ExitStack() as stack:

        def start(url: str) -> Team:
            team = Team(url, file_server.url)
            stack.callback(team.close)
            return team

        yield start


def storage_of(team: Team) -> ForgivingStorage:
    return getattr(team.predictor, "storage", None) or team.predictor._storage


def expect_faults_to_be_survived(caplog, start, url, other_url, fault):
    """Set up and predict before, during and after; then another server finds all that was acknowledged."""
    caplog.set_level(logging.INFO, "prebrush")
    team = start(url)
    before = team.set_up("1.1", 2)
    right = {"1.1": team.masks("1.1")}
    assert len(right["1.1"]) > 1
    with fault():
        assert team.ask("GET", "/health", HEALTH_S).status_code == 200
        during = team.set_up("2.1", 4)
        assert team.set_up("1.1", 2) == before
        right["2.1"] = team.masks("2.1")
        assert right["2.1"] != right["1.1"]
        for _ in range(3):
            assert team.masks("1.1") == right["1.1"]
            assert team.masks("2.1") == right["2.1"]
        assert team.versions("1.1") == [before]
        # a server of an earlier test may still be at its last image
        warnings = [record for record in caplog.records if storage_of(team).where in record.getMessage()]
        assert any("storage is away" in record.getMessage() for record in warnings)
        assert len(warnings) <= 4, "the log is flooded"
        assert all(record.levelname == "WARNING" for record in warnings)
        metrics = team.ask("GET", "/metrics", HEALTH_S).text
        assert "prebrush_storage_up 0.0" in metrics
    storage = storage_of(team)
    wait_until(lambda: storage.held == 0)
    wait_until(lambda: team.masks("1.1") == right["1.1"] and not storage.away)
    other = start(other_url or url)
    # a sentinel tells newcomers of the new master a moment later
    wait_until(lambda: other.versions("1.1") == [before])
    assert other.versions("2.1") == [during]
    assert [other.masks(project) for project in right] == list(right.values())
    assert not any(record.exc_info for record in caplog.records)


@contextlib.contextmanager
def killed(server, _):
    server.kill()
    yield
    server.start()


@contextlib.contextmanager
def killed_and_emptied(server, _):
    server.kill()
    for path in server.folder.glob("appendonlydir/*"):
        path.unlink()
    server.start()
    server.kill()
    yield
    server.start()


@contextlib.contextmanager
def hung(server, _):
    server.hang()
    yield
    server.go_on()


@contextlib.contextmanager
def configured(server, **settings):
    with contextlib.closing(server.client()) as client:
        before = {name: client.config_get(name)[name] for name in settings}
        for name, value in settings.items():
            client.config_set(name, value)
        yield client
        for name, value in before.items():
            client.config_set(name, value)


@contextlib.contextmanager
def out_of_memory(server, _):
    with configured(server, **{"maxmemory-policy": "noeviction", "maxmemory": 1}):
        yield


@contextlib.contextmanager
def read_only(server, _):
    with contextlib.closing(server.client()) as client:
        client.replicaof("127.0.0.1", 1)
        yield
        client.replicaof("NO", "ONE")


@contextlib.contextmanager
def another_password(server, _):
    with configured(server, requirepass="hush-other") as client:
        client.client_kill_filter(_type="normal", skipme=True)
        yield


@contextlib.contextmanager
def slow(_, gate):
    gate.delay_s = 2.0
    yield
    gate.delay_s = 0.0


@contextlib.contextmanager
def garbage(_, gate):
    gate.nonsense = b"$6\r\nhello\xff\r\n"
    yield
    gate.nonsense = b""


@contextlib.contextmanager
def another_program(_, gate):
    gate.nonsense = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    yield
    gate.nonsense = b""


FAULTS = (
    killed,
    killed_and_emptied,
    hung,
    out_of_memory,
    read_only,
    another_password,
    slow,
    garbage,
    another_program,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_single_server(server, caplog, start, fault):
    with Gate(server.port) as gate:
        expect_faults_to_be_survived(caplog, start, gate.url, server.url, lambda: fault(server, gate))


def test_slow_but_not_too_slow_for_setup(server, start):
    """Each answer comes just before it is given up on: one wait is what it costs, and state is written later."""
    with Gate(server.port) as gate:
        team = start(gate.url)
        gate.delay_s = 0.8
        version = team.set_up("1.1", 2)
        assert team.set_up("1.1", 2) == version
        gate.delay_s = 0.0
        wait_until(lambda: storage_of(team).held == 0)
    other = start(server.url)
    assert other.versions("1.1") == [version]


def test_a_sentinel_group_that_changes_its_master(tmp_path, caplog, start):
    @contextlib.contextmanager
    def fail_over():
        with contextlib.closing(replica.client()) as client:
            wait_until(lambda: bool(client.exists("prebrush:1:projects")))
        master.kill()
        yield

    with sentinel_group(tmp_path) as (url, master, replica):
        expect_faults_to_be_survived(caplog, start, url, None, fail_over)


def test_a_cluster_that_loses_the_node_of_the_projects(tmp_path, caplog, start):
    with cluster(tmp_path) as (url, first, second):

        @contextlib.contextmanager
        def loss():
            for node in (first, second):
                # the one that does not hold them names the other
                with contextlib.closing(node.client()) as client, contextlib.suppress(redis.ResponseError):
                    if client.exists("prebrush:1:projects"):
                        holder = node
            holder.kill()
            yield
            holder.start()

        expect_faults_to_be_survived(caplog, start, f"{url},127.0.0.1:{second.port}", None, loss)


def test_a_full_server_forgets_masks_and_no_project(tmp_path, start):
    with redis_server(tmp_path, "--maxmemory", "4mb", "--maxmemory-policy", "volatile-lru") as server:
        team = start(server.url)
        versions = {f"{number}.1": team.set_up(f"{number}.1", 2 + number % 5) for number in range(30)}
        with contextlib.closing(server.client()) as client:
            for number in range(100):
                client.set(f"prebrush:1:cache:{number}", bytes(100_000), px=100_000)
        other = start(server.url)
        assert {project: other.versions(project) for project in versions} == {
            project: [version] for project, version in versions.items()
        }
