"""The documents say what the code does: every method, knob, setting, command and route, and nothing else."""

import re

import pytest
import typer.main
import yaml

from documents import (
    CONFIG,
    ENVIRONMENT,
    ROOT,
    ROUTES,
    TABLES,
    app_routes,
    fill_in,
    write_config,
    write_environment,
)
from method_pages import INDEX, fill_index, fill_page, page_of
from prebrush.checkup.cures import CURES
from prebrush.commands.app import app as cli
from prebrush.segmentation import METHODS, get_method
from prebrush.segmentation.method import knobs_of
from prebrush.settings import SECRETS, SECTIONS, Settings, StorageSettings, load_settings
from prebrush.web import create_app
from prebrush.web.failures import STATUS, code_of
from redis_servers import redis_server


@pytest.mark.parametrize("page", TABLES, ids=lambda page: page.stem)
def test_tables_are_those_of_the_code(page):
    assert fill_in(page) == page.read_text(), "run: make documents"


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


PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "docker/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
COMMANDS = typer.main.get_command(cli).commands


def text_of(page):
    """Read a page without its blocks of code and its comments."""
    return re.sub(r"^\s*```.*?^\s*```$|<!--.*?-->", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


@EACH_PAGE
def test_commands_named_on_a_page_exist(page):
    named = set(re.findall(r"(?<!from )\bprebrush ([a-z][a-z-]+)", " ".join(re.findall(r"`[^`\n]+`", text_of(page)))))
    assert named <= set(COMMANDS), named - set(COMMANDS)


@EACH_PAGE
def test_make_targets_named_on_a_page_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z][a-z0-9-]+)", text_of(page)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_recording_of_its_terminal(name):
    drawing = (ROOT / f"docs/images/terminal/{name}.svg").read_text()
    assert f"$&#160;prebrush&#160;{name}" in drawing, "run: make recordings"
    # it asks no other host for anything; addresses in what is shown are of this machine, or private
    shown = re.sub(r"http://(www\.w3\.org/2000/svg|127\.0\.0\.1|localhost|10\.1\.2\.3)", "", drawing)
    assert "http" not in shown
    text = (ROOT / "docs/commands.md").read_text()
    assert f"\n## `prebrush {name}`\n" in text
    assert f"(images/terminal/{name}.svg)" in text


def anchors_of(page):
    """List what a page's headings are called in links, as forges make it from their text."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EACH_PAGE
def test_links_and_pictures_exist(page):
    for link in re.findall(r"\]\(([^)]+)\)", text_of(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_every_page_is_in_the_index_and_every_picture_on_a_page():
    index = text_of(ROOT / "docs/README.md")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.stem == "README" or f"({page.name})" in index, page
    everything = "".join(page.read_text() for page in PAGES)
    for picture in (ROOT / "docs/images").rglob("*.*"):
        assert picture.name in everything, picture


def test_what_check_has_advice_for_is_said_somewhere():
    paths = set((ROOT / "backend/prebrush").rglob("*.py")) - {ROOT / "backend/prebrush/checkup/cures.py"}
    said = re.sub(r'"\s*\n\s*f?"', "", "".join(path.read_text() for path in paths))
    for phrases, _ in CURES:
        for phrase in phrases:
            template = phrase.replace("/data/local-files/", "{request.shown}")
            # OpenSSL's own words
            assert template in said or phrase == "wrong_version_number", phrase


OF_THE_FRAMEWORK = {"not_found", "method_not_allowed", "request_entity_too_large", "request_timeout", "internal_error"}


def test_errors_are_told_with_their_statuses():
    table = (ROOT / "docs/wire.md").read_text().partition("| status | `error` |")[2]
    told = {}
    for row in re.findall(r"^\| ([\d, ]+) \| (.+?) \|", table, re.MULTILINE):
        for code in re.findall(r"`(\w+)`", row[1]):
            told[code] = {int(status) for status in row[0].split(", ")}
    ours = {code_of(kind.__name__): kind for parent in STATUS for kind in [parent, *parent.__subclasses__()]}
    # 499 stands in logs alone: the caller has hung up
    answered = {code_of(kind.__name__) for kind, status in STATUS.items() if status != 499}
    assert answered - {"request_error"} <= set(told)
    for code, statuses in told.items():
        assert code not in ours or STATUS.get(ours[code], 400) in statuses, code
        assert code in ours or code in OF_THE_FRAMEWORK, code


@pytest.mark.parametrize("page", [ROOT / "docs/operate.md", ROOT / "docs/connect.md"], ids=lambda page: page.stem)
def test_metrics_named_on_a_page_are_shown(page, tmp_path):
    # some are shown only by a server on a Redis that workers can meet in
    with redis_server(tmp_path) as server:
        app = create_app(Settings(storage=StorageSettings(url=server.url)))
        shown = app.test_client().get("/metrics").text
    named = re.findall(r"`(prebrush_\w+)`", page.read_text())
    assert named
    for name in named:
        assert re.search(rf"^# TYPE {name} ", shown, re.MULTILINE), name


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


@EACH_PAGE
def test_methods_and_knobs_named_in_tags_exist(page):
    for line in page.read_text().splitlines():
        chosen = re.findall(r'model_method="(\w+)"', line)
        for name in chosen:
            if name not in {"top_hat"}:  # the example of a package's method
                get_method(name)


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
