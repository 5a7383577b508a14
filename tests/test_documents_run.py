"""Every block of code in the documents runs, or is read by the parser that will read it; output is marked as such.

``text`` and ``output`` blocks are output. A block that cannot be checked has a comment on the line before it,
``<!-- not run: why -->``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from document_blocks import CHECKS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docker/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
OUTPUT = {"text", "output"}
_BLOCK = re.compile(
    r"(?P<marker><!-- not run: [^\n]{10,} -->\n)?(?P<indent>[ ]*)```(?P<kind>\w*)\n(?P<body>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A fenced block, without its indentation."""

    page: str
    line: int
    kind: str
    body: str
    is_marked: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}:{self.kind}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for match in _BLOCK.finditer(text):
        indent = len(match["indent"])
        body = "".join(line[indent:] if line.strip() else line for line in match["body"].splitlines(keepends=True))
        line = text.count("\n", 0, match.start("kind")) + 1
        found.append(Block(str(page.relative_to(ROOT)), line, match["kind"], body, bool(match["marker"])))
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def test_no_fence_is_overlooked():
    fences = sum(len(re.findall(r"^\s*```", page.read_text(), re.MULTILINE)) for page in PAGES)
    assert fences == 2 * len(BLOCKS) > 60


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_block_runs(block, tmp_path, monkeypatch):
    if block.kind in OUTPUT or block.is_marked:
        return
    assert block.kind in CHECKS, f"{block}: say what it is, or mark it as output with ```text"
    CHECKS[block.kind](block.body, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("sh", "prebrush segmen photo.jpg"),
        ("sh", "prebrush segment photo.jpg --method kmean"),
        ("sh", "prebrush serve --prot 1"),
        ("sh", "make servee"),
        ("sh", "make serve PROT=1"),
        ("sh", "docker compose -f docker/compose.yml up"),
        ("sh", "PREBRUSH_SERVER_PROT=1 prebrush serve"),
        ("sh", "LABEL_STUDIO_ULR=x label-studio start"),
        ("sh", "pip install 'prebrush[nothing]'"),
        ("sh", "frobnicate"),
        ("sh", "curl http://localhost:9090/healthy"),
        ("json", '{"method": "kmean"}'),
        ("json", '{"method": "kmeans", "params": {"n_clusters": 99}}'),
        ("json", '{"tasks": [1]}'),
        ("json", '{"results": [{"regions": []}]}'),
        ("json", '{"something": 1}'),
        ("yaml", "server: {prot: 1}"),
        ("yaml", "default: {method: kmean}"),
        ("xml", "<View><Image name='i' value='$i'/></View>"),
        ("xml", "<BrushLabels name='m' toName='image' model_method='kmean'><Label value='A'/></BrushLabels>"),
        ("python", "1 / 0"),
        ("toml", "a = "),
    ],
)
def test_a_block_that_is_wrong_fails(kind, body, tmp_path, monkeypatch):
    with pytest.raises((Exception, SystemExit)):
        CHECKS[kind](body, tmp_path, monkeypatch)
