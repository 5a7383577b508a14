"""What people install: complete, nothing besides, and at work in an environment of its own."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from packaging.requirements import Requirement

from prebrush.version import __version__

ROOT = Path(__file__).resolve().parents[2]
DIST = Path(os.environ["PREBRUSH_TEST_DIST"])
PACKAGE = ROOT / "backend/prebrush"
WHEEL = f"prebrush-{__version__}-py3-none-any.whl"
SOURCE = f"prebrush-{__version__}.tar.gz"
BILL = "prebrush.cdx.json"
DIST_INFO = f"prebrush-{__version__}.dist-info/"


def package_files() -> set[str]:
    """List what git knows of the package: what lies about beside it must not be shipped."""
    listed = subprocess.run(
        ["git", "ls-files", "prebrush"], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    return set(listed.stdout.split())


def test_one_version_was_built():
    assert sorted(path.name for path in DIST.iterdir()) == sorted([WHEEL, SOURCE, BILL])


def test_the_wheel_holds_the_package_and_nothing_else():
    with zipfile.ZipFile(DIST / WHEEL) as wheel:
        names = {name for name in wheel.namelist() if not name.startswith(DIST_INFO)}
        metadata = wheel.read(f"{DIST_INFO}METADATA").decode()
    assert names == package_files()
    for name in ("scikit-image", "scipy", "pytest"):
        assert f"\nRequires-Dist: {name}" not in metadata


def test_the_bill_of_materials_lists_what_is_installed_with_the_wheel():
    bill = json.loads((DIST / BILL).read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "prebrush"
    listed = {part["name"].lower().replace("_", "-"): part["version"] for part in bill["components"]}
    assert {"flask", "numba", "numpy", "opencv-python-headless", "pillow", "redis", "werkzeug"} <= set(listed)
    assert not {"pytest", "pip", "scikit-image"} & set(listed)
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    ours = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    pinned = {pin.name.lower().replace("_", "-"): str(pin.specifier).removeprefix("==") for pin in ours}
    assert {name: version for name, version in listed.items() if name != "prebrush"}.items() <= pinned.items()
    assert all(part["purl"].startswith("pkg:pypi/") for part in bill["components"] if part["name"] != "prebrush")


def test_the_source_archive_holds_what_builds_the_wheel():
    with tarfile.open(DIST / SOURCE) as archive:
        files = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert {name.removeprefix("backend/") for name in files if name.startswith("backend/prebrush/")} == package_files()
    others = {name for name in files if not name.startswith("backend/")}
    assert others == {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [WHEEL, SOURCE])
def test_installed_in_a_clean_environment_it_segments_an_image(name, tmp_path):
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PREBRUSH_", "NUMBA_"))}

    def run(*command: str) -> str:
        answer = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    python = str(tmp_path / "clean/bin/python")
    run(sys.executable, "-m", "venv", "clean")
    run(python, "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt"), str((DIST / name).resolve()))
    image = cv2.circle(np.full((120, 160, 3), 25, np.uint8), (80, 60), 30, (90, 200, 240), -1)
    cv2.imwrite(str(tmp_path / "disc.png"), image)
    command = str(tmp_path / "clean/bin/prebrush")
    assert __version__ in run(command, "--version")
    run(command, "segment", "disc.png", "--method", "threshold", "--out", "out")
    labels = cv2.imread(str(tmp_path / "out/disc.labels.png"), cv2.IMREAD_UNCHANGED)
    truth = image[..., 0] > 25
    assert np.count_nonzero((labels > 0) & truth) / np.count_nonzero((labels > 0) | truth) > 0.95
    assert json.loads((tmp_path / "out/disc.json").read_text())
    # as a library, with its types
    run(
        python,
        "-c",
        "from prebrush import segment; import prebrush, pathlib; "
        "assert pathlib.Path(prebrush.__file__).with_name('py.typed').is_file()",
    )
