"""The command line as a person runs it: a process of its own, files, exit status, one line for an error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from prebrush.labelstudio import rle


def run(*arguments, cwd=None, env=None):
    command = [sys.executable, "-m", "prebrush", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, timeout=100, check=False)


@pytest.fixture
def photo(tmp_path):
    image = np.full((90, 120, 3), 30, np.uint8)
    cv2.circle(image, (40, 40), 20, (40, 220, 250), -1)
    path = tmp_path / "disc.png"
    assert cv2.imwrite(str(path), image)
    return path


def test_segment_writes_overlay_label_map_and_prediction(photo, tmp_path):
    done = run("segment", photo, "--method", "threshold", "--label", "Disc", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    (facts,) = json.loads(done.stdout)
    assert (facts["width"], facts["height"], facts["segments"], facts["method"]) == (120, 90, 1, "threshold")
    labels = cv2.imread(str(tmp_path / "out/disc.labels.png"), cv2.IMREAD_UNCHANGED)
    assert labels.dtype == np.uint16
    assert labels.shape == (90, 120)
    prediction = json.loads((tmp_path / "out/disc.json").read_text())
    (region,) = prediction["result"]
    assert region["value"]["brushlabels"] == ["Disc"]
    assert np.array_equal(rle.decode_mask(region["value"]["rle"], 90, 120), labels == 1)
    assert prediction["model_version"].startswith("prebrush-threshold-")
    overlay = cv2.imread(str(tmp_path / "out/disc.overlay.png"))
    assert overlay.shape[1] >= 120


def test_what_was_written_is_told_in_paths_that_are_whole_on_a_narrow_terminal(photo, tmp_path):
    folder = tmp_path / ("results-of-a-long-name-" * 4)
    done = run("segment", photo, "--out", folder, env={**os.environ, "COLUMNS": "60"})
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("written: ")]
    paths = line.removeprefix("written: ").split(", ")
    assert [Path(path).name for path in paths] == ["disc.overlay.png", "disc.labels.png", "disc.json"]
    assert all(Path(path).is_file() for path in paths)


def test_a_point_picks_its_object(photo, tmp_path):
    done = run("segment", photo, "--method", "grabcut", "--point", "40,40", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    labels = cv2.imread(str(tmp_path / "out/disc.labels.png"), cv2.IMREAD_UNCHANGED)
    assert labels[40, 40] == 1
    assert labels[85, 110] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["segment", "nothing.png"], 1, "nothing.png"),
        (["segment", "disc.png", "--method", "kmean"], 2, "kmeans"),
        (["segment", "disc.png", "-p", "scale"], 2, "KNOB=VALUE"),
        (["segment", "disc.png", "--method", "kmeans", "-p", "n_clusters=99"], 2, "0 to 32"),
        (["segment", "disc.png", "--point", "1"], 2, "X,Y"),
        (["segment", "notes.txt"], 1, "image"),
        (["methods", "nope"], 2, "threshold"),
        (["compare", "disc.png", "--methods", "kmean"], 2, "kmeans"),
        (["compare", "nothing.png"], 1, "nothing.png"),
        (["compare", "disc.png", "--out", "sheet.webp"], 2, ".png"),
        (["evaluate", "nothing"], 1, "nothing"),
        (["evaluate", "."], 1, "a_mask.png"),
        (["evaluate", ".", "--kind", "things"], 2, "instances"),
        (["evaluate", ".", "--methods", "kmeans", "-p", "auto.scale=1"], 2, "auto"),
        (["bogus"], 2, "bogus"),
        (["serve", "--config", "none.yaml"], 2, "none.yaml"),
        (["serve", "--port", "99999"], 2, "65535"),
        (["serve", "--host", "203.0.113.7"], 2, "cannot listen"),
        (["segment", "disc.png", "--method", "kmeans", "--point", "5,5,-"], 2, "takes a positive click"),
        (["segment", "disc.png", "--point", "120,5"], 2, "the point 120,5 is not on it"),
        (["segment", "disc.png", "--box", "130,5,150,9"], 2, "the box 130,5,150,9 is not on it"),
        (["prelabel", "."], 2, "--out"),
        (["prelabel", "--project", "1", "--status", "--only-missing"], 2, "--status"),
        (["prelabel", "empty", "--out", "tasks.json"], 1, "no image in empty"),
        (["prelabel", ".", "--out", "empty"], 1, "empty is a folder"),
        (["prelabel", ".", "--out", "tasks.json", "--report", "notes.txt"], 1, "cannot write into notes.txt"),
    ],
)
def test_an_error_is_one_line_and_a_status(photo, arguments, status, words):
    photo.with_name("notes.txt").write_text("hello")
    photo.with_name("empty").mkdir()
    done = run(*arguments, cwd=photo.parent)
    assert done.returncode == status, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PREBRUSH_DEFAULT_METHOD", "nope", "nope"),
        ("PREBRUSH_DEFAULT_LABELS", '{"rule": "nonsense"}', "rule"),
        ("PREBRUSH_IMAGES_ALLOWED_HOSTS", "http://", "allowed_hosts"),
        ("PREBRUSH_STORAGE_URL", "foo://bar", "foo"),
        ("LABEL_STUDIO_URL", "localhost:8080", "http://localhost:8080"),
    ],
)
def test_serve_refuses_settings_that_could_not_serve(tmp_path, variable, value, words):
    done = run("serve", "--port", "0", cwd=tmp_path, env={**os.environ, variable: value})
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [["methods"], ["methods", "--json"], ["--version"]])
def test_output_that_cannot_be_written_is_one_line_too(arguments):
    command = [sys.executable, "-m", "prebrush", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=100)
    assert done.returncode == 1
    assert done.stderr == "prebrush: No space left on device: the output\n"


def test_a_reader_that_goes_away_is_no_error():
    command = [sys.executable, "-m", "prebrush", "methods", "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=100)
    os.close(writer)
    assert done.stderr == ""


@pytest.mark.parametrize("moment", ["typer", "prebrush.commands.app", "prebrush.settings", "numpy", "prebrush.files"])
def test_ctrl_c_says_nothing_and_ends_with_130_at_any_moment(photo, tmp_path, moment):
    code = (
        "import os, signal, sys\n"
        # what runs in the background of a shell is started deaf to it
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from prebrush.cli import main\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {moment!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "main()"
    )
    command = [sys.executable, "-c", code, "segment", str(photo), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_name_that_is_no_text(photo, tmp_path):
    strange = tmp_path / os.fsdecode(b"caf\xe9.png")
    strange.write_bytes(photo.read_bytes())
    arguments = ["segment", strange, "--method", "threshold", "--out", tmp_path / "out"]
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / os.fsdecode(b"caf\xe9.labels.png")).exists()
    (row,) = json.loads(run(*arguments, "--json").stdout)
    assert row["segments"] == 1


def test_one_bad_file_does_not_cost_the_others(photo, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    done = run("segment", bad, photo, "--out", tmp_path / "out", "--json")
    assert done.returncode == 1
    assert "bad.png" in done.stderr
    assert [row["image"] for row in json.loads(done.stdout)] == [str(photo)]


def test_files_of_one_name_do_not_overwrite_each_other(photo, tmp_path):
    twin = tmp_path / "other/disc.png"
    twin.parent.mkdir()
    twin.write_bytes(photo.read_bytes())
    done = run("segment", photo, twin, "--out", tmp_path / "out", "--json")
    assert [row["labels"] for row in json.loads(done.stdout)] == [
        str(tmp_path / "out/disc.labels.png"),
        str(tmp_path / "out/disc-2.labels.png"),
    ]


def test_segment_follows_the_settings_the_server_follows(photo, tmp_path):
    env = {**os.environ, "PREBRUSH_DEFAULT_METHOD": "kmeans"}
    (row,) = json.loads(run("segment", photo, "--out", tmp_path / "out", "--json", env=env).stdout)
    assert row["method"] == "kmeans"


def test_a_point_picks_with_methods_that_read_no_marks(photo, tmp_path):
    done = run("segment", photo, "--method", "kmeans", "--point", "40,40", "--out", tmp_path / "out", "--json")
    (row,) = json.loads(done.stdout)
    assert row["segments"] == 1
    labels = cv2.imread(str(tmp_path / "out/disc.labels.png"), cv2.IMREAD_UNCHANGED)
    assert (labels[40, 40], labels[85, 110]) == (1, 0)


def test_check_shows_no_password(tmp_path):
    env = {**os.environ, "PREBRUSH_STORAGE_URL": "redis://:hunter2@127.0.0.1:9/0"}
    done = run("check", "--json", cwd=tmp_path, env=env)
    assert "hunter2" not in done.stdout + done.stderr


@pytest.fixture
def marked(photo, tmp_path):
    """A folder of one image and its mask."""
    mask = np.zeros((90, 120), np.uint8)
    cv2.circle(mask, (40, 40), 20, 255, -1)
    assert cv2.imwrite(str(tmp_path / "disc_mask.png"), mask)
    return tmp_path


def test_evaluate_measures_and_reports(marked):
    arguments = ("evaluate", marked, "--methods", "threshold,kmeans", "-p", "kmeans.n_clusters=2,3")
    done = run(*arguments, "--out", marked / "report", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {row["method"]: row for row in found["summary"]}
    assert rows["threshold"]["main_figure"] == "iou"
    assert rows["threshold"]["main"] > 0.97
    assert rows["kmeans"]["setting"].startswith("n_clusters=")
    assert found["report"] == str(marked / "report/index.html")
    for name in ("index.html", "summary.csv", "images.csv"):
        assert (marked / "report" / name).stat().st_size
    done = run(*arguments, "--out", marked / "report")
    assert "threshold" in done.stdout
    assert "n_clusters=" in done.stdout
    assert "…" not in done.stdout


def test_compare_draws_a_sheet(photo, tmp_path):
    done = run("compare", photo, "--methods", "threshold,kmeans", "--out", tmp_path / "sheet.png", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["methods"]
    assert [row["method"] for row in rows] == ["threshold", "kmeans"]
    assert rows[0]["segments"] == 1
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None


def test_methods_are_listed(tmp_path):
    names = {row["name"] for row in json.loads(run("methods", "--json").stdout)}
    assert {"threshold", "kmeans", "felzenszwalb"} <= names
    knobs = json.loads(run("methods", "felzenszwalb", "--json").stdout)
    assert [row["knob"] for row in knobs] == ["scale", "sigma", "min_size"]


def test_check_tells_what_to_change(tmp_path):
    (tmp_path / "config.yaml").write_text(
        f"storage: {{url: 'sqlite:///{tmp_path}/data'}}\nlabel_studio: {{url: 'http://127.0.0.1:9'}}\n"
    )
    done = run("check", "--config", tmp_path / "config.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 1
    found = {finding["what"]: finding for finding in json.loads(done.stdout)["checks"]}
    assert found["storage"]["ok"]
    assert not found["Label Studio"]["ok"]
    assert "127.0.0.1:9" in found["Label Studio"]["found"]
    assert "LABEL_STUDIO_URL must be Label Studio as prebrush reaches it" in found["Label Studio"]["advice"]
    assert "prebrush serve" in found["server"]["advice"]
    assert "ML_BLOCK_LOCAL_IP" in found["the way back"]["advice"]


def test_check_names_a_storage_that_is_away(tmp_path):
    (tmp_path / "config.yaml").write_text("storage: {url: 'redis://127.0.0.1:9/0'}\n")
    done = run("check", "--config", tmp_path / "config.yaml", "--json", cwd=tmp_path)
    found = {finding["what"]: finding for finding in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert not found["storage"]["ok"]
    assert found["storage"]["advice"].startswith("Start it, or change")


def test_check_names_a_host_that_cannot_be_allowed(tmp_path):
    (tmp_path / "config.yaml").write_text("images: {allowed_hosts: 10.0.0.0/99}\n")
    done = run("check", "--json", cwd=tmp_path)
    (images,) = [finding for finding in json.loads(done.stdout)["checks"] if finding["what"] == "images"]
    assert (done.returncode, images["ok"]) == (1, False)
    assert "'10.0.0.0/99'" in images["found"]


def test_health_of_a_server_that_is_not_there(tmp_path):
    (tmp_path / "config.yaml").write_text("server: {port: 9}\n")
    done = run("health", cwd=tmp_path)
    assert done.returncode == 1
    assert "no answer" in done.stderr


def test_help_and_health_import_nothing_heavy(tmp_path):
    code = (
        "import sys; from prebrush.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'numba', 'cv2', 'flask', 'label_studio_sdk', 'rq'} & set(sys.modules)))"
    )
    for command in ("--help", "health"):
        done = subprocess.run(
            [sys.executable, "-c", code, command], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]", command


def test_evaluate_says_when_clicks_count_nothing(marked):
    done = run("evaluate", marked, "--methods", "threshold", "--clicks", "--out", marked / "report", "--json")
    assert done.returncode == 0
    assert done.stderr.count("--clicks counts nothing") == 1
    assert "manifest" in done.stderr


def test_segment_says_which_method_answers_marks(photo, tmp_path):
    done = run("segment", photo, "--method", "slic", "--point", "40,40", "--out", tmp_path / "out", "--json")
    (row,) = json.loads(done.stdout)
    assert row["method"] == "prompt"
    assert "slic answers no marks" in row["why"]
