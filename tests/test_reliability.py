"""The page of promises names tests that exist, and leaves none of those out that were written for it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/reliability.md").read_text()
NAMED = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE))
HELD = [
    "tests/with_redis/test_server_faults.py",
    "tests/contract/test_auth.py",
    "tests/unit/images/test_keys.py",
    "tests/fuzzing/test_fuzzing.py",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests/hostile").glob("test_*.py"))),
]


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize(("path", "name"), sorted(NAMED))
def test_every_named_test_exists(path, name):
    assert name in names_in(path)


@pytest.mark.parametrize("path", HELD)
def test_no_test_is_left_out(path):
    assert names_in(path) == {name for where, name in NAMED if where == path}


def test_every_line_of_a_table_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and not re.match(r"\|(-|\s*(fault|att))", line)]
    assert len(rows) > 30
    for row in rows:
        assert re.search(r"`tests/[\w/]+\.py::\w+`", row), row


def test_nothing_is_named_that_is_not_counted():
    assert PAGE.count("::test_") == len(re.findall(r"`tests/[\w/]+\.py::\w+`", PAGE))
