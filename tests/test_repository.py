"""What surrounds the code is as it says: forms, hooks, style of files, version and changelog."""

import configparser
import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from jsonschema.validators import validator_for

from prebrush.version import __version__

ROOT = Path(__file__).resolve().parents[1]
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
PICTURES = {".png", ".jpg"}


def tracked_texts() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    return [ROOT / name for name in listed if name and Path(name).suffix not in PICTURES and (ROOT / name).is_file()]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_fit_their_schema(path):
    name = "github-issue-config.json" if path.stem == "config" else "github-issue-forms.json"
    schema = json.loads(files("check_jsonschema.builtin_schemas.vendor").joinpath(name).read_text())
    validator = validator_for(schema)(schema)
    content = yaml.safe_load(path.read_text())
    assert not list(validator.iter_errors(content))
    assert list(validator.iter_errors({**content, "blank_issues_enabled": "perhaps", "body": []}))


def test_hooks_at_a_commit_are_the_tools_of_make_lint():
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    hooks = [
        hook
        for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repo["hooks"]
    ]
    tools = {" ".join(hook["entry"].removeprefix(".venv/bin/").split()[:2]).split(" --")[0] for hook in hooks}
    assert tools == set(re.findall(r"\$\(BIN\)/([a-z -]+?)(?: --\w+)?(?: \.)?$", lint, re.MULTILINE))


def test_the_table_of_modules_for_newcomers_names_each_one_once():
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("<!-- modules -->")[2].partition("<!-- /modules -->")[0]
    named = [name for row in table.splitlines()[3:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    package = ROOT / "backend/prebrush"
    modules = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    assert sorted(named) == sorted(modules - {"__init__"})


def test_files_are_written_as_the_editor_configuration_says():
    parser = configparser.ConfigParser()
    parser.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    style = parser["*"]
    assert style["trim_trailing_whitespace"] == style["insert_final_newline"] == "true"
    assert f"line-length = {style['max_line_length']}" in (ROOT / "pyproject.toml").read_text()
    for path in tracked_texts():
        text = path.read_bytes().decode(style["charset"])
        assert "\r" not in text, path
        assert not re.search(r"[ \t]$", text, re.MULTILINE), path
        assert not text or text.endswith("\n"), path


def test_make_targets_named_in_the_guide_exist():
    makefile = (ROOT / "Makefile").read_text()
    for name in re.findall(r"make ([a-z][a-z0-9-]+)", re.sub(r"\s+#.*", "", (ROOT / "CONTRIBUTING.md").read_text())):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


def test_the_version_is_written_in_one_place_and_the_changelog_knows_it():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (\S+)", changelog, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1:2] in ([], [__version__])
    settled = [path for path in tracked_texts() if path.suffix in {".py", ".toml"} and path.name != "version.py"]
    assert not [path for path in settled if re.search(rf'version\w* *= *"{re.escape(__version__)}"', path.read_text())]
