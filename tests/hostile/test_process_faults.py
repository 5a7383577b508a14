"""A server that is killed, or whose files fail under it: what it acknowledged is there afterwards."""

import contextlib
import io
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import urllib3
from PIL import Image as PilImage

from prebrush.errors import StorageError
from prebrush.storage import open_storage
from redis_servers import wait_until

from . import bombs
from .measured_server import MeasuredServer
from .test_hostile_requests import CONFIG, LONG, body, task

HEALTH_S, SETUP_S, PREDICT_S = 1.0, 3.0, 20.0


def ask(server, method: str, path: str, seconds: float, **more):
    started = time.monotonic()
    answer = server.ask(method, path, **more)
    assert time.monotonic() - started < seconds, path
    assert answer.status == 200, answer.data
    return answer.json()


def set_up(server, project: str, clusters: int) -> str:
    extra = {"method": "kmeans", "params": {"n_clusters": clusters}}
    told = {"project": project, "schema": CONFIG, "hostname": "", "access_token": "", "extra_params": extra}
    return ask(server, "POST", "/setup", SETUP_S, json=told)["model_version"]


def predict(server, project: str, image: bytes, number: int) -> list:
    content = {**json.loads(body([task(image, number)])), "project": project}
    return ask(server, "POST", "/predict", PREDICT_S, json=content)["results"][0]["result"]


def versions(server, project: str) -> list[str]:
    return ask(server, "GET", "/versions", SETUP_S, json={"project": project})["versions"]


def noise(seed: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    PilImage.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_killed_in_the_middle_of_a_batch(tmp_path):
    batch = body([task(noise(number), number) for number in range(60)])
    with MeasuredServer(tmp_path) as server:
        told = {f"{number}.1": set_up(server, f"{number}.1", 2 + number) for number in range(4)}
        before = predict(server, "0.1", noise(500), 500)
        assert before
        asking = threading.Thread(target=_ask_in_vain, args=(server, batch))
        asking.start()
        time.sleep(0.5)
        # the worker alone: its master starts another, and nobody else has to do anything
        os.kill(int(server.worker.name), signal.SIGKILL)
        asking.join()
        wait_until(lambda: _is_up(server), patience_s=60)
        assert {project: versions(server, project) for project in told} == {p: [v] for p, v in told.items()}
        told["9.1"] = set_up(server, "9.1", 7)
        asking = threading.Thread(target=_ask_in_vain, args=(server, batch))
        asking.start()
        time.sleep(0.5)
        worker = int(server.worker.name)
        server.process.kill()
        os.kill(worker, signal.SIGKILL)
        asking.join()
    with MeasuredServer(tmp_path) as server:
        assert {project: versions(server, project) for project in told} == {p: [v] for p, v in told.items()}
        assert predict(server, "0.1", noise(500), 500) == before
        answer = server.ask("POST", "/predict", body=batch).json()
        assert all(entry["result"] for entry in answer["results"])
        assert "Traceback" not in server.log


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere gunicorn's worker looks for its master, later")
def test_without_its_master_a_worker_ends_and_leaves_the_port(tmp_path):
    with MeasuredServer(tmp_path) as server:
        worker = server.worker
        address = server.url.removeprefix("http://").split(":")
        clients = urllib3.PoolManager(retries=False)

        def is_gone() -> bool:
            # callers that keep on asking over one connection would keep it alive
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                clients.request("GET", f"{server.url}/health", timeout=1)
            return not worker.exists()

        assert not is_gone()
        server.process.kill()
        wait_until(is_gone, patience_s=10)
        clients.clear()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address[0], int(address[1])))


def _ask_in_vain(server, batch: bytes) -> None:
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        server.ask("POST", "/predict", body=batch)


def _is_up(server) -> bool:
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        return server.ask("GET", "/health").status == 200
    return False


@contextlib.contextmanager
def locked(_, folder):
    with contextlib.ExitStack() as stack:
        for name in ("state.db", "cache.db"):
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(folder / name)))
            connection.execute("BEGIN EXCLUSIVE")
        yield


@contextlib.contextmanager
def full_disk(server, _):
    """No file of the worker may grow."""
    worker = int(server.worker.name)
    before = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, before[1]))
    yield
    resource.prlimit(worker, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def deleted(_, folder):
    for path in folder.glob("*.db*"):
        path.unlink()
    yield


@contextlib.contextmanager
def damaged(_, folder):
    for name in ("state.db", "cache.db"):
        garbage = folder / "garbage"
        garbage.write_bytes(os.urandom(100_000))
        garbage.replace(folder / name)
        # with its log beside it, the file would be healed from there
        for suffix in ("-wal", "-shm"):
            (folder / f"{name}{suffix}").unlink(missing_ok=True)
    yield


FAULTS = (locked, full_disk, deleted, damaged) if LONG else (full_disk, damaged)
LOGGED = {
    locked: "locked by another process",
    full_disk: "the storage does not take project state",
    deleted: "no longer has project state",
    damaged: "set aside as",
}


def test_files_that_fail_under_a_running_server(tmp_path):
    """All in one server, one after the other; afterwards another finds what each of them was told meanwhile."""
    scene, folder = bombs.small("PNG"), tmp_path / "data"
    with MeasuredServer(tmp_path) as server:
        told = {"0.1": set_up(server, "0.1", 2)}
        right = predict(server, "0.1", scene, 1)
        values = [region["value"] for region in right]
        assert values
        for number, fault in enumerate(FAULTS, start=1):
            with fault(server, folder):
                project = f"{number}.1"
                told[project] = set_up(server, project, 2 + number)
                assert ask(server, "GET", "/health", HEALTH_S)["status"] == "UP"
                assert set_up(server, "0.1", 2) == told["0.1"]
                # another task each time, so that its masks are not simply in memory
                found = predict(server, "0.1", scene, 10 + number)
                assert [region["value"] for region in found] == values
                assert {each: versions(server, each) for each in told} == {p: [v] for p, v in told.items()}
            # whoever connects next makes it look: what is missing is written again, all of it
            wait_until(lambda told=dict(told): _is_stored(server, folder, told), patience_s=30)
            assert LOGGED[fault] in server.log
    assert "Traceback" not in server.log
    assert server.log.count("WARNING") < 5 * len(FAULTS), server.log
    with MeasuredServer(tmp_path) as server:
        assert {each: versions(server, each) for each in told} == {p: [v] for p, v in told.items()}
        assert [region["value"] for region in predict(server, "0.1", scene, 99)] == values


def _is_stored(server, folder, told: dict[str, str]) -> bool:
    assert versions(server, "0.1") == [told["0.1"]]
    time.sleep(0.2)
    return set(stored_projects(folder)) >= set(told)


def stored_projects(folder) -> list[str]:
    storage = open_storage(str(folder), max_bytes=1 << 20, ttl_s=60)
    with contextlib.closing(storage), contextlib.suppress(StorageError):
        return storage.list_projects()
    return []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with 1 MB, where the machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_without_room(small_disk):
    storage = open_storage(str(small_disk), max_bytes=1 << 20, ttl_s=3600)
    storage.save_project("a", b"before")
    (small_disk / "others").write_bytes(b"")
    with (small_disk / "others").open("wb", buffering=0) as others, contextlib.suppress(OSError):
        while others.write(bytes(4096)):
            pass
    for number in range(5):
        with contextlib.suppress(StorageError):
            storage.put(str(number), os.urandom(100_000))
        with pytest.raises(StorageError, match="full"):
            storage.save_project("a", os.urandom(200_000))
    assert storage.load_project("a") == b"before"
    (small_disk / "others").unlink()
    storage.save_project("a", b"after")
    assert storage.load_project("a") == b"after"
    assert not list(small_disk.glob("*corrupt*"))
    storage.close()
