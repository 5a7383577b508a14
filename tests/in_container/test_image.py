"""The image: small, read-only, nobody's root; up in seconds, with no kernel left to compile."""

import base64
import io
import json
import os
import shutil
import signal
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from prebrush.labelstudio import rle
from prebrush.settings import load_settings
from prebrush.web import create_app

from .conftest import IMAGE, Image, buildah

CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image" model_method="threshold">'
    '<Label value="Object"/></BrushLabels></View>'
)
ROOT = Path(__file__).resolve().parents[2]
X86 = os.uname().machine == "x86_64"


def draw_disc() -> np.ndarray:
    return cv2.circle(np.full((120, 160, 3), 25, np.uint8), (80, 60), 30, (90, 200, 240), -1)


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """The same server without a container, from wheels alone."""
    return create_app(
        load_settings(environ={"PREBRUSH_STORAGE_URL": f"sqlite:///{tmp_path_factory.mktemp('outside')}"})
    )


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "bmp", "gif"])
def test_it_predicts_what_is_predicted_outside(server, outside, kind):
    """The libraries that read images are built for the image or come with wheels: either way the same pixels."""
    assert server.ask("GET", "/health").json()["status"] == "UP"
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 60, (120, 160, 3), np.uint8)
    PIL.Image.fromarray(draw_disc() // 2 + noise).save(file, kind)
    task = {"id": 1, "data": {"image": f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"}}
    body = {"tasks": [task], "project": "1.1", "label_config": CONFIG}
    (answer,) = server.ask("POST", "/predict", json=body).json()["results"]
    assert answer == outside.test_client().post("/predict", json=body).json["results"][0]
    found = rle.decode_mask(answer["result"][0]["value"]["rle"], 120, 160)
    truth = draw_disc()[..., 0] > 25
    assert np.count_nonzero(found & truth) / np.count_nonzero(found | truth) > 0.9


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


def test_nothing_in_it_makes_a_user_root(image):
    files = [path for path in image.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 1000
    assert not [path for path in files if path.stat().st_mode & 0o6000]


def test_scanners_are_told_what_it_holds(image):
    entries = (image.root / "var/lib/dpkg/status").read_text().split("\n\n")
    named = {entry.split("\n")[0].removeprefix("Package: ") for entry in entries if entry.strip()}
    assert {"libc6", "libssl3", "zlib1g"} <= named
    assert not {"apt", "perl-base", "login"} & named
    assert list(image.root.glob("usr/share/doc/libc6/copyright"))
    assert list(image.root.glob("opt/venv/lib/python*/site-packages/opencv_python_headless-*.dist-info/METADATA"))


IMPORT_ALL = """
import importlib, os, sysconfig
names = sorted(name.split(".")[0] for name in os.listdir(sysconfig.get_config_var("DESTSHARED")))
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def test_every_library_that_python_loads_is_there(server):
    answer = server.run("/opt/venv/bin/python", "-c", IMPORT_ALL)
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) > 20


def test_a_package_comes_on_top(start, tmp_path):
    """As docker/README.md has it: laid beside prebrush."""
    name = buildah("from", IMAGE)
    try:
        root = Path(buildah("mount", name))
        source = (ROOT / "backend/prebrush/segmentation/methods/threshold.py").read_text()
        (root / "opt/prebrush/mine.py").write_text(source)
        info = root / "opt/prebrush/mine-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[prebrush.methods]\nmine = mine:METHOD\n")
        container = Image(root).start(tmp_path, "prebrush", "methods", "--json")
        assert container.process.wait(60) == 0, container.log
        container.stop()
    finally:
        buildah("rm", name)
    assert {row["name"]: row["from"] for row in json.loads(container.log)}["mine"] == "mine"


def test_it_is_small(tmp_path):
    buildah("push", "--quiet", IMAGE, f"oci:{tmp_path}/image")
    fetched = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert fetched < 200e6
    buildah("push", "--quiet", IMAGE, f"docker-archive:{tmp_path}/image.tar")
    assert (tmp_path / "image.tar").stat().st_size < 450e6
