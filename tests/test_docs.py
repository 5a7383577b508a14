"""The documents say what the code does: every method, knob, setting, command and route, and nothing else."""

import re

import pytest
import yaml

from documents import CONFIG, ENVIRONMENT, README, ROUTES, app_routes, fill_in, write_config, write_environment
from method_pages import INDEX, fill_index, fill_page, page_of
from prebrush.cli import app as cli
from prebrush.segmentation import METHODS, get_method
from prebrush.segmentation.method import knobs_of
from prebrush.settings import SECRETS, SECTIONS, Settings, StorageSettings, load_settings
from prebrush.web import create_app

ROOT = README.parent


def test_the_readmes_tables_are_those_of_the_code():
    text = README.read_text()
    assert fill_in(text) == text, "run: make documents"


def test_every_route_is_described(tmp_path):
    app = create_app(Settings(storage=StorageSettings(url=f"sqlite:///{tmp_path}/data")))
    described = {}
    for route in ROUTES:
        methods, _, path = route.rpartition(" ")
        described.setdefault(path, set()).update(methods.split(", "))
    assert described == app_routes(app)


def test_config_yaml_lists_every_setting_with_its_default():
    assert CONFIG.read_text() == write_config(), "run: make documents"
    content = yaml.safe_load(CONFIG.read_text())
    for section, kind in SECTIONS.items():
        assert content[section] == {k.name: k.default for k in knobs_of(kind) if (section, k.name) not in SECRETS}


def test_every_command_named_in_the_readme_exists():
    import typer.main

    known = set(typer.main.get_command(cli).commands)
    code = " ".join(re.findall(r"`{1,3}[^`]+`{1,3}", README.read_text()))
    named = set(re.findall(r"(?<!from )prebrush ([a-z][a-z-]+)", code))
    assert {"serve", "segment", "methods", "check"} <= known
    assert named <= known, named - known


@pytest.mark.parametrize("target", ["serve", "demo", "test", "e2e", "lint", "bench", "image", "package"])
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "docker/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_exist(page):
    for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if not method.package])
def test_each_method_has_a_page_that_tells_what_the_code_does(name):
    text = page_of(name).read_text()
    assert fill_page(name, text) == text, "run: make documents"
    reason = text.partition("## When to choose it")[2].partition("<!-- body -->")[0]
    assert len(reason) > 80


def test_the_index_lists_every_method_and_no_page_is_left_over():
    text = INDEX.read_text()
    assert fill_index(text) == text, "run: make documents"
    assert {page.stem for page in INDEX.parent.glob("*.md")} == {*METHODS, "README"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_methods_and_knobs_named_in_tags_exist(page):
    for line in page.read_text().splitlines():
        chosen = re.findall(r'model_method="(\w+)"', line)
        for name in chosen:
            if name not in {"top_hat"}:  # the example of a package's method
                get_method(name)


def test_the_librarys_example_runs():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})  # the README's own words


def test_the_environment_file_explains_every_variable():
    text = ENVIRONMENT.read_text()
    assert text == write_environment(), "run: make documents"
    # as it would be with every line filled in
    environ = dict(re.findall(r"^#?([A-Z_]+)=(.*)", text, re.MULTILINE))
    settings = load_settings(environ={**environ, "PREBRUSH_CONFIG": str(CONFIG)})
    assert settings.server.host == "0.0.0.0"
    assert settings.default["params"] == {"scale": 200}


CONSTRAINTS = (
    "tests/constraints-lowest.txt",
    "tests/constraints-label-studio-ml.txt",
    "tests/end_to_end/constraints.txt",
)


def test_the_tools_environment_differs_in_its_four_old_pins_alone():
    ours = set((ROOT / "constraints.txt").read_text().splitlines())
    theirs = set((ROOT / "tests/constraints-label-studio-ml.txt").read_text().splitlines()[1:])
    known = {line.partition("==")[0].lower() for line in ours}
    others = {line.partition("==")[0].lower() for line in theirs - ours}
    assert others & known == {"flask", "werkzeug", "jinja2", "itsdangerous"}


def test_constraints_pin_everything_and_name_no_address():
    for name in ("constraints.txt", *CONSTRAINTS):
        lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
        assert lines
        for line in lines:
            assert re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;/]+( ?; ?[a-z_]+ [<>=!]+ \"[^\"]+\")?", line), line
