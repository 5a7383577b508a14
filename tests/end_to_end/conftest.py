"""One Label Studio for all tests, a connected project for each kind of token, one browser; evidence of what failed."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from demo.prebrush_server import run_prebrush
from demo.processes import Server
from demo.studio import LEGACY_TOKEN, Studio, run_studio
from end_to_end.browser import Annotator, open_browser, open_page
from end_to_end.connected import Connected
from end_to_end.pictures import awkward_pictures, ordinary_pictures

ROOT = Path(__file__).resolve().parents[2]
EVIDENCE = ROOT / ".e2e"
"""Logs of every run, and a screenshot for each test that failed."""

LABEL_CONFIG = """
<View>
  <Image name="image" value="$image" zoom="true"/>
  <BrushLabels name="mask" toName="image"><Label value="Object" background="#e6194b"/></BrushLabels>
</View>
"""
_servers = pytest.StashKey[dict[str, Server]]()


@pytest.fixture(scope="session")
def studio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """Label Studio as installed, told only to accept a backend on this machine and to call nobody."""
    home = Path(os.environ.get("PREBRUSH_TEST_STUDIO", ROOT / ".venv-studio"))
    with run_studio(home, tmp_path_factory.mktemp("studio"), EVIDENCE / "label-studio.log") as studio:
        request.config.stash[_servers]["label-studio"] = studio.server
        yield studio


@pytest.fixture(scope="session")
def access_token(studio: Studio) -> str:
    """The personal access token of the first user, who has one at a time."""
    return studio.create_access_token()


@pytest.fixture(scope="module")
def prebrush(
    request: pytest.FixtureRequest, studio: Studio, access_token: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A prebrush that no project is connected to yet."""
    settings = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": access_token}
    log = EVIDENCE / f"prebrush-{request.module.__name__.rpartition('.')[2]}.log"
    with run_prebrush(tmp_path_factory.mktemp("prebrush"), log, settings) as prebrush:
        request.config.stash[_servers]["prebrush"] = prebrush
        yield prebrush


# the personal token comes first, on a Label Studio that still has its default settings
@pytest.fixture(scope="session", params=["personal_access_token", "legacy_token"])
def connected(
    request: pytest.FixtureRequest, studio: Studio, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connected]:
    """A project of sixteen pictures whose predictions were retrieved in one batch."""
    settings = {"LABEL_STUDIO_URL": studio.url}
    if request.param == "personal_access_token":
        settings["LABEL_STUDIO_API_KEY"] = request.getfixturevalue("access_token")
    else:
        # with no key of its own, prebrush has the legacy token that Label Studio sends in /setup
        studio.allow_legacy_tokens()
    folder = tmp_path_factory.mktemp("prebrush")
    with run_prebrush(folder, EVIDENCE / f"prebrush-{request.param}.log", settings) as prebrush:
        request.config.stash[_servers]["prebrush"] = prebrush
        project = studio.create_project(request.param.replace("_", " "), LABEL_CONFIG)
        pictures = {picture.name: picture for picture in ordinary_pictures() + awkward_pictures()}
        tasks = {name: studio.upload(project, name, picture.content) for name, picture in pictures.items()}
        any_upload = studio.call("GET", f"/api/tasks/{tasks['scene.png']}")["data"]["image"]
        takes_legacy = studio.answers_token(LEGACY_TOKEN, any_upload)
        assert takes_legacy == (request.param == "legacy_token"), "Label Studio's token settings are not as meant"
        studio.connect(project, prebrush.url)
        studio.retrieve_predictions(project)
        yield Connected(studio, prebrush, project, pictures, tasks)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def annotator(studio: Studio, browser: Browser) -> Annotator:
    """A page of the browser that is logged in."""
    annotator = Annotator(open_page(browser), studio)
    annotator.log_in()
    return annotator


def pytest_configure(config: pytest.Config) -> None:
    """Forget the evidence of the last run."""
    config.stash[_servers] = {}
    EVIDENCE.mkdir(exist_ok=True)
    for old in [*EVIDENCE.glob("*.png"), *EVIDENCE.glob("*.log")]:
        old.unlink()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure the end of each server's log and, from the browser, a screenshot."""
    report = yield
    if report.failed:
        for name, server in item.config.stash[_servers].items():
            report.sections.append((f"end of the log of {name}", server.log_tail()))
        annotator = item.funcargs.get("annotator")
        if isinstance(annotator, Annotator):
            picture = EVIDENCE / f"{item.name}.png"
            annotator.screenshot(picture)
            report.sections.append(("screenshot", str(picture)))
    return report
