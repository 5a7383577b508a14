"""How each kind of block in the documents is checked: run where that is possible, else read by what would read it."""

import importlib.util
import itertools
import json
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from packaging.requirements import Requirement

from demo.studio import SETTINGS as STUDIO_SETTINGS
from prebrush.cli import main
from prebrush.commands.app import app
from prebrush.labelstudio.config import parse_label_config
from prebrush.labelstudio.request import parse_predict, parse_setup, parse_webhook
from prebrush.planning import build_plan, check_choices
from prebrush.settings import CHOICE_KEYS, Settings, StorageSettings, load_settings
from prebrush.web import create_app
from prebrush.web.failures import STATUS, code_of

ROOT = Path(__file__).resolve().parents[1]
RUN = {"segment", "methods", "compare", "evaluate", "warm-up"}
"""Commands that are run; of the others, which wait or ask a server, options are read."""
SMALLEST_CONFIG = '<View><Image name="image" value="$image"/>{}</View>'
BRUSH = (
    '<BrushLabels name="mask" toName="image"><Label value="Dark"/><Label value="Middle"/><Label value="Bright"/>'
    "</BrushLabels>"
)


def check_python(body: str, place: Path, patch: pytest.MonkeyPatch) -> None:
    """Run it at the root of the clone."""
    patch.chdir(ROOT)
    exec(compile(body, "a block of the documents", "exec"), {"__name__": "block"})


def check_xml(body: str, place: Path, patch: pytest.MonkeyPatch) -> None:
    """Plan it as a labeling config, with the image that a lone tag belongs to; something must be filled."""
    text = body if body.lstrip().startswith("<View") else SMALLEST_CONFIG.format(body)
    build_plan(parse_label_config(text), Settings(), "", {}).require_controls()


def check_json(body: str, place: Path, patch: pytest.MonkeyPatch) -> None:
    """Read it as what it looks like: extra parameters, a request, an answer, an error."""
    content = json.loads(body)
    if set(content) <= set(CHOICE_KEYS):
        build_plan(parse_label_config(SMALLEST_CONFIG.format(BRUSH)), Settings(), "", content).require_controls()
    elif "tasks" in content:
        request = parse_predict(body.encode())
        build_plan(parse_label_config(request.label_config), Settings(), "", {}).require_controls()
    elif "schema" in content:
        request = parse_setup(body.encode())
        build_plan(parse_label_config(request.label_config), Settings(), "", request.extra_params).require_controls()
    elif "action" in content:
        parse_webhook(body.encode())
    elif "results" in content:
        check_answer(content, place)
    elif "error" in content:
        assert content["error"] in {code_of(kind.__name__) for parent in STATUS for kind in family(parent)}
        assert set(content) == {"error", "detail"}
    else:
        raise AssertionError(f"JSON of no known use, {sorted(content)}: add it here, or mark the block as not run")


def family(parent: type) -> set[type]:
    """Return a class and all below it."""
    return {parent}.union(*(family(child) for child in parent.__subclasses__()))


def check_answer(content: dict[str, Any], place: Path) -> None:
    """Compare an answer with the one that the server gives, but for what changes with every version of a method."""
    image = "data:image/png;base64," + ONE_SQUARE
    config = SMALLEST_CONFIG.format('<BrushLabels name="mask" toName="image"><Label value="Thing"/></BrushLabels>')
    body = {"tasks": [{"id": 1, "data": {"image": image}}], "label_config": config}
    given = client(place).post("/predict", json=body).json
    assert without_versions(content) == without_versions(given)


def without_versions(answer: dict[str, Any]) -> str:
    """Write an answer with its regions' ids and the digits of its versions blanked."""
    text = re.sub(r'("prebrush-\w+)-[0-9a-f]{8}"', r'\1"', json.dumps(answer, sort_keys=True))
    return re.sub(r'"id": "\w{10}"', '"id": ""', text)


ONE_SQUARE = (
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAAAAAA6mKC9AAAAI0lEQVR42mOUY0AFTAwkC7AwMDAwMOyD8pzIMoMaAoxU8AsA/vABXaRareoAAAAASUVO"
    "RK5CYII="
)
"""A PNG of 16 x 16 pixels, a bright square on dark ground."""


def client(place: Path) -> Any:
    """Return a client of a server with its storage in a folder."""
    return create_app(Settings(storage=StorageSettings(url=f"sqlite:///{place}/data"))).test_client()


def check_yaml(body: str, place: Path, patch: pytest.MonkeyPatch) -> None:
    """Load it as settings."""
    path = place / "config.yaml"
    path.write_text(body)
    assert yaml.safe_load(body)
    check_choices(load_settings(path, environ={}))


def check_toml(body: str, place: Path, patch: pytest.MonkeyPatch) -> None:
    """Read it."""
    assert tomllib.loads(body)


def check_sh(body: str, place: Path, patch: pytest.MonkeyPatch) -> None:
    """Check one command after the other, in a folder with the samples that the documents speak of."""
    lay_out(place)
    patch.chdir(place)
    commands = split_commands(body)
    assert commands
    for words in commands:
        check_command(words, place, patch)


def split_commands(body: str) -> list[list[str]]:
    """Split a script into its commands, and these into words; comments are left out."""
    text = re.sub(r"(^|\s)#\s.*", r"\1", body).replace("\\\n", " ").replace("<your token>", "0123456789")
    reader = shlex.shlex(text, posix=True, punctuation_chars="\n;&|")
    reader.whitespace, reader.whitespace_split, reader.commenters = " \t", True, ""
    commands: list[list[str]] = [[]]
    for word in reader:
        if word.strip("\n;&|"):
            commands[-1].append(word)
        else:
            commands.append([])
    return [words for words in commands if words]


def lay_out(place: Path) -> None:
    """Put the files there that commands in the documents name."""
    shutil.copy(ROOT / "docs/images/coffee.jpg", place / "photo.jpg")
    (place / "docs").symlink_to(ROOT / "docs")
    (place / "nuclei").mkdir()
    for path in sorted((ROOT / "tests/images").glob("nuc_*.png"))[:4]:
        shutil.copy(path, place / "nuclei" / path.name.replace("_gt", "_mask"))


def check_command(words: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """Check one command by its program."""
    variables = {}
    words = words[1:] if words[0] == "export" else words
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    if not words:
        check_variables("prebrush", variables)
        return
    program = words[0] if words[0] in PROGRAMS else Path(words[0]).name
    if program not in PROGRAMS:
        raise AssertionError(f"nobody knows how to check {program!r}: add it to PROGRAMS, or mark the block as not run")
    check_variables(program, variables)
    PROGRAMS[program](words[1:], place, patch)


def check_variables(program: str, variables: dict[str, str]) -> None:
    """See that the program reads the variables set before it."""
    if program == "label-studio":
        assert set(variables) <= set(STUDIO_SETTINGS), variables
    elif variables and program in {"prebrush", "make", "label-studio-ml"}:
        load_settings(environ={**variables, "PREBRUSH_CONFIG": str(ROOT / "config.yaml")})
        known = re.findall(r"^#?([A-Z_]+)=", (ROOT / "docker/.env.example").read_text(), re.MULTILINE)
        assert set(variables) <= set(known), variables


def run_prebrush(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """Run a command in this process, or read its options where it would wait."""
    command = typer.main.get_command(app)
    assert arguments[0] in command.commands, arguments  # type: ignore[attr-defined]  # typer hides the class
    if arguments[0] not in RUN:
        command.commands[arguments[0]].make_context(arguments[0], arguments[1:])  # type: ignore[attr-defined]  # typer hides the class
        return
    patch.setattr(sys, "argv", ["prebrush", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def check_make(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """See that the Makefile has the targets and the variables."""
    makefile = (ROOT / "Makefile").read_text()
    for word in arguments:
        if "=" in word:
            assert re.search(rf"^{word.partition('=')[0]} \?=", makefile, re.MULTILINE), word
        else:
            assert re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE), word


def check_paths(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """See that the files of the clone are there that a container's or a cluster's command is given."""
    for flag, value in itertools.pairwise(arguments):
        if flag in {"-f", "-k", "-c"}:
            assert (ROOT / value).exists(), value


def check_copy(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """See that what is copied is there."""
    assert (ROOT / arguments[0]).exists(), arguments[0]


def check_pip(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """Read what is to be installed; extras of our own must exist."""
    assert arguments[0] == "install"
    check_paths(arguments, place, patch)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in arguments[1:]:
        if not word.startswith(("-", "git+", ".")) and not (ROOT / word).exists():
            wanted = Requirement(word)
            assert wanted.name != "prebrush" or wanted.extras <= set(extras), word


def check_studio_ml(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """See that the folder is a backend; the tool itself is tested with it."""
    assert arguments[0] == "start"
    assert (ROOT / arguments[1] / "model.py").exists()


def check_label_studio(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """See that it is the command that the end-to-end tests give."""
    assert arguments == ["start"]


def ask_server(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """Send what curl would send to a server of our own."""
    words = iter(arguments)
    body, headers, path, method = None, {}, "", ""
    for word in words:
        if word == "-d":
            body = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-X":
            method = next(words)
        elif not word.startswith("-"):
            path = word.removeprefix("http://localhost:9090")
    assert path.startswith("/"), arguments
    answer = client(place).open(path, method=method or ("POST" if body else "GET"), data=body, headers=headers)
    assert answer.status_code < 300, answer.text
    if path == "/predict":
        assert all(entry["result"] for entry in answer.json["results"])


def check_python_program(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """See that the module or the file is there."""
    if arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]) is not None, arguments[1]
    else:
        assert (ROOT / arguments[0]).is_file(), arguments[0]


def pass_by(arguments: list[str], place: Path, patch: pytest.MonkeyPatch) -> None:
    """Leave a word of the shell, or a program that is not ours to check."""


PROGRAMS: dict[str, Callable[[list[str], Path, pytest.MonkeyPatch], None]] = {
    "prebrush": run_prebrush,
    "make": check_make,
    "docker": check_paths,
    "kubectl": check_paths,
    "cp": check_copy,
    "pip": check_pip,
    "label-studio": check_label_studio,
    "label-studio-ml": check_studio_ml,
    "curl": ask_server,
    "python": check_python_program,
    "python3": check_python_program,
    "git": pass_by,
    "cd": pass_by,
    ".": pass_by,
}
CHECKS: dict[str, Callable[[str, Path, pytest.MonkeyPatch], None]] = {
    "python": check_python,
    "sh": check_sh,
    "json": check_json,
    "yaml": check_yaml,
    "xml": check_xml,
    "toml": check_toml,
}
