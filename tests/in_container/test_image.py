"""The image: small, read-only, nobody's root; up in seconds, with no kernel left to compile."""

import base64
import os
import shutil
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from prebrush.labelstudio import rle

from .conftest import IMAGE, buildah

CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image" model_method="threshold">'
    '<Label value="Object"/></BrushLabels></View>'
)
ROOT = Path(__file__).resolve().parents[2]
X86 = os.uname().machine == "x86_64"


def draw_disc() -> np.ndarray:
    return cv2.circle(np.full((120, 160, 3), 25, np.uint8), (80, 60), 30, (90, 200, 240), -1)


def test_it_serves_predictions(server):
    assert server.ask("GET", "/health").json()["status"] == "UP"
    png = base64.b64encode(cv2.imencode(".png", draw_disc())[1].tobytes()).decode()
    task = {"id": 1, "data": {"image": f"data:image/png;base64,{png}"}}
    answer = server.ask("POST", "/predict", json={"tasks": [task], "project": "1.1", "label_config": CONFIG})
    (region,) = answer.json()["results"][0]["result"]
    found = rle.decode_mask(region["value"]["rle"], 120, 160)
    truth = draw_disc()[..., 0] > 25
    assert np.count_nonzero(found & truth) / np.count_nonzero(found | truth) > 0.95


def test_its_user_owns_nothing_but_the_data(server, image):
    user, _ = image.config["User"].split(":")
    assert int(user) > 0
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{server.first}/status").read_text().splitlines())
    assert set(status["Uid"].split()) == {user}
    assert int(status["CapEff"], 16) == 0
    owned = [path for path in image.root.rglob("*") if path.lstat().st_uid == int(user)]
    assert owned == [image.root / "data"]
    assert server.run("touch", "/data/mine").returncode == 0


def test_the_health_check_of_the_image_tells_up_from_down(server, image):
    kind, *command = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    assert server.run(*command).returncode == 0
    assert server.run(*command, PREBRUSH_SERVER_PORT="1").returncode == 1


@pytest.mark.parametrize("kind", ["", "x86-64-v2", "x86-64-v3"] if X86 else [""])
def test_nothing_is_left_to_compile(server, kind):
    chosen = {"NUMBA_CPU_NAME": kind} if kind else {}
    answer = server.run("prebrush", "warm-up", **chosen)
    assert answer.returncode == 0, answer.stderr
    folders = server.files(f"tmp/prebrush-*-{kind or '*'}")
    kernels = [path for folder in folders for path in folder.rglob("*.nb[ci]")]
    assert len(kernels) > 100
    assert all(path.is_symlink() for path in kernels)


def test_every_method_finds_what_it_needs(server):
    shutil.copy(ROOT / "docs/images/coffee.jpg", server.data / "photo.jpg")
    answer = server.run("prebrush", "compare", "photo.jpg", "--out", "sheet.png")
    assert answer.returncode == 0, answer.stderr
    assert cv2.imread(str(server.data / "sheet.png")) is not None


def test_it_stops_when_told_to(start):
    container = start()
    container.wait_until_up()
    os.kill(container.first, signal.SIGTERM)
    assert container.process.wait(20) == 0, container.log
    assert "Traceback" not in container.log


def test_without_a_place_for_its_kernels_it_says_so(start):
    container = start("prebrush", "methods", writable_tmp=False)
    assert container.process.wait(20) == 2
    assert "--tmpfs /tmp" in container.log


def test_it_holds_what_it_needs_and_no_more(image):
    assert not list(image.root.glob("opt/venv/lib/python*/site-packages/pip"))
    for name in ("scipy", "skimage", "pytest", "label_studio_sdk"):
        assert not list(image.root.glob(f"opt/venv/lib/python*/site-packages/{name}")), name
    assert not list((image.root / "opt").rglob("tests"))
    # what was lent to the build
    assert not list((image.root / "run").glob("secrets/*"))
    assert not (image.root / "etc/pip.conf").exists()


def test_it_is_small_to_fetch(tmp_path):
    buildah("push", "--quiet", IMAGE, f"oci:{tmp_path}/image")
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 300e6
