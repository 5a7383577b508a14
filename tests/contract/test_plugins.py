"""A package installed beside prebrush brings a method: the example of docs/extend.md, and packages that do not work."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from documents import README
from prebrush.errors import SegmentationError, UnknownMethod
from prebrush.segmentation import registry
from prebrush.segmentation.method import Method, param
from prebrush.segmentation.registry import find_methods

EXTEND = README.parent / "docs" / "extend.md"
SPOTS = """
import json, sys
import numpy as np
import prebrush
image = np.zeros((90, 120, 3), np.uint8) + np.arange(120, dtype=np.uint8)[None, :, None]
image[20:26, 30:36] += 90
image[60:66, 80:86] += 90
segments = prebrush.segment(image, method="top_hat", radius=6)
print(json.dumps([len(segments), segments.classes, int(segments.label_map[22, 32]), int(segments.label_map[50, 50])]))
"""


def install(folder: Path, name: str, module: str, code: str, entries: str) -> Path:
    """Lay a package out as an installer does."""
    (folder / module.replace(".", "/")).parent.mkdir(parents=True, exist_ok=True)
    (folder / f"{module.replace('.', '/')}.py").write_text(code)
    info = folder / f"{name}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[prebrush.methods]\n{entries}\n")
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    return subprocess.run(
        [sys.executable, *arguments], env=environ, capture_output=True, text=True, check=False, timeout=100
    )


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    code = re.search(r"```python\n(.*?)```", EXTEND.read_text(), re.DOTALL)[1]
    project = tomllib.loads(re.search(r"```toml\n(.*?)```", EXTEND.read_text(), re.DOTALL)[1])["project"]
    (entry,) = project["entry-points"]["prebrush.methods"].items()
    return install(tmp_path_factory.mktemp("spots"), project["name"], "spots.top_hat", code, " = ".join(entry))


def test_the_documents_example_is_listed_and_described(spots: Path) -> None:
    listed = json.loads(run(spots, "-m", "prebrush", "methods", "--json").stdout)
    assert {row["name"]: row["from"] for row in listed}["top_hat"] == "spots"
    knobs = json.loads(run(spots, "-m", "prebrush", "methods", "top_hat", "--json").stdout)
    assert [knob["knob"] for knob in knobs] == ["radius"]


def test_the_documents_example_finds_spots(spots: Path) -> None:
    done = run(spots, "-c", SPOTS)
    assert done.returncode == 0, done.stderr
    count, classes, at_spot, between = json.loads(done.stdout)
    assert count == 2
    assert classes == ["spot", "spot"]
    assert at_spot > 0
    assert between == 0


def test_a_package_that_does_not_load_is_left_out_with_a_reason(tmp_path: Path) -> None:
    folder = install(tmp_path, "broken", "broken", "import no_such_module\n", "crumble = broken:METHOD")
    listed = run(folder, "-m", "prebrush", "methods", "--json")
    assert "watershed" in listed.stdout
    assert "crumble" not in listed.stdout
    asked = run(folder, "-m", "prebrush", "methods", "crumble")
    assert asked.returncode != 0
    assert "broken brings 'crumble', but No module named 'no_such_module'" in " ".join(asked.stderr.split())
    checked = run(folder, "-m", "prebrush", "check", "--json")
    assert any("crumble" in finding["found"] and not finding["ok"] for finding in json.loads(checked.stdout)["checks"])


class Params:
    """No dataclass."""


def entry(name: str, value: str = "json:dumps") -> EntryPoint:
    return EntryPoint(name=name, value=value, group=registry.GROUP)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (entry("Wrong Name"), "lower-case letters"),
        (entry("x" * 41), "at most 40"),
        (entry("watershed"), "prebrush has a method of that name"),
        (entry("dumps"), "json:dumps is a function, not a prebrush Method"),
        (entry("absent", "json:no_such_thing"), "no_such_thing"),
    ],
)
def test_entries_that_are_no_methods_are_refused(entry: EntryPoint, reason: str) -> None:
    found, unusable = find_methods([entry])
    assert reason in unusable[entry.name]
    assert set(found) == set(registry.METHODS)


def test_asking_for_a_method_that_is_left_out_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "UNUSABLE", {"crumble": "broken brings 'crumble', but it is stale"})
    with pytest.raises(UnknownMethod, match="it is stale"):
        registry.get_method("crumble")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (np.full((4, 5), 2, np.int32), "1..n without gaps"),
        (np.full((4, 5), -1, np.int32), "1..n without gaps"),
        (np.ones((4, 5), np.float64), "not int32"),
        (np.ones((5, 4), np.int32), r"\(5, 4\) for an image of \(4, 5\)"),
        (None, "returned"),
        (ZeroDivisionError("by hand"), "tilt of the package leaning failed with ZeroDivisionError: by hand"),
    ],
)
def test_what_a_packages_method_returns_is_checked(answer: object, reason: str) -> None:
    def function(image: object, params: object, prompt: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    tilt = Method(function, Params, version=1, name="tilt", package="leaning")
    with pytest.raises(SegmentationError, match=reason):
        tilt.segment(np.zeros((4, 5, 3), np.uint8), Params())


def test_knobs_may_not_take_the_names_of_the_clean_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses
    import types

    knobs = dataclasses.make_dataclass("Knobs", [("smoothing", float, param(1.0, help="Taken."))], frozen=True)

    def function(image: object, params: object, prompt: object) -> None: ...

    module = types.ModuleType("leaning_tower", "Leaning.")
    function.__module__ = module.__name__
    module.METHOD = Method(function, knobs, version=1)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    _, unusable = find_methods([entry("tilt", "leaning_tower:METHOD")])
    assert "its knob smoothing has the name of one of the clean-up" in unusable["tilt"]
