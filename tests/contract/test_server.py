"""The server as a process: its start, its words, its answers over a real socket, its end."""

import base64
import json
import platform
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from servers import Server

from .conftest import CONFIG, draw_discs


def test_a_server_starts_answers_and_stops(tmp_path):
    png = base64.b64encode(cv2.imencode(".png", draw_discs()[..., ::-1])[1].tobytes()).decode()
    body = {
        "tasks": [{"id": 1, "data": {"image": f"data:image/png;base64,{png}"}}],
        "project": "1.1",
        "label_config": CONFIG,
        "params": {"context": None},
    }
    with Server(tmp_path) as server:
        assert f"{server.url}/playground" in server.log
        assert server.ask("GET", "/health").json()["status"] == "UP"
        answer = server.ask("POST", "/predict", json=body)
        assert answer.status == 200
        assert answer.json()["results"][0]["result"]
        assert server.stop() == 0
    # read after the end: lines reach us through a pipe, some time after the answer they are about
    assert "POST /predict 200" in server.log
    assert "Traceback" not in server.log
    assert (tmp_path / "data/state.db").is_file()


def test_projects_are_remembered_across_processes(tmp_path):
    setup = {
        "project": "5.1",
        "schema": CONFIG,
        "hostname": "",
        "access_token": "",
        "extra_params": {"method": "kmeans"},
    }
    with Server(tmp_path) as server:
        version = server.ask("POST", "/setup", json=setup).json()["model_version"]
    with Server(tmp_path) as server:
        assert server.ask("GET", "/versions").json()["versions"] == [version]


def test_two_large_requests_on_one_connection(tmp_path):
    padding = b" " * 3_000_000
    body = b'{"tasks": [], "label_config": ' + json.dumps(CONFIG).encode() + padding + b"}"
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    with Server(tmp_path) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            # the second is on its way before the first was answered, and asks to be told to go on
            connection.sendall(head.encode() + b"\r\n" + body + head.encode() + b"Expect: 100-continue\r\n\r\n")
            answers = connection.makefile("rb")
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            while not answers.readline().endswith(b"HTTP/1.1 100 Continue\r\n"):
                pass
            connection.sendall(body)
            assert answers.readline() == b"\r\n"
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"


def test_two_servers_of_one_user_do_not_meet(tmp_path):
    (tmp_path / "other").mkdir()
    with Server(tmp_path), Server(tmp_path / "other") as second:
        assert second.ask("GET", "/health").status == 200
    assert "ERROR" not in second.log


def test_no_secret_reaches_the_log(tmp_path):
    setup = {"project": "5.1", "schema": CONFIG, "hostname": "http://127.0.0.1:9", "access_token": "S3CRET-token"}
    tasks = [{"id": 1, "data": {"image": "/data/upload/1/x.png?sig=S3CRET-signature"}}]
    body = {"tasks": tasks, "project": "5.1", "label_config": CONFIG, "params": {"login": "u", "password": "S3CRET-pw"}}
    with Server(tmp_path, LABEL_STUDIO_API_KEY="S3CRET-key", PREBRUSH_SERVER_LOG_LEVEL="debug") as server:
        server.ask("POST", "/setup", json=setup)
        answer = server.ask("POST", "/predict", json=body)
        assert answer.json()["results"] == [[]]
    assert "task 1:" in server.log
    assert "S3CRET" not in server.log
    assert "S3CRET" not in answer.data.decode()


def test_a_missing_storage_costs_nothing_but_a_warning(tmp_path):
    with Server(tmp_path, PREBRUSH_STORAGE_URL="redis://127.0.0.1:9/0") as server:
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[2:5, 2:5] = 255
        png = base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()
        tasks = [{"id": n, "data": {"image": f"data:image/png;base64,{png}"}} for n in range(3)]
        body = {"tasks": tasks, "project": "1.1", "label_config": CONFIG, "params": {}}
        assert all(server.ask("POST", "/predict", json=body).json()["results"])
    assert server.log.count("WARNING") == 1, server.log


MANY_IMAGES = """
import sys, threading
import numpy as np
from prebrush.process import bound_allocator

def held():
    return next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmRSS"))

def work():
    for _ in range(4):
        blocks = [np.ones(size, np.uint8) for size in (30 << 20, 12 << 20, 2 << 20)]
        del blocks
    all_done.wait()

bound_allocator()
before = held()
all_done = threading.Barrier(8)
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(held() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give memory back by themselves")
def test_memory_of_large_images_is_given_back():
    # with glibc's own settings more than 300 MB are kept
    done = subprocess.run([sys.executable, "-c", MANY_IMAGES], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 100
