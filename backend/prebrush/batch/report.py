"""What a run ends with: one page with its numbers, its failures by reason, and a few of its predictions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from prebrush.batch.run import Outcome
from prebrush.errors import PrebrushError
from prebrush.version import __version__

PAGE = "index.html"
SHOWN = 200
"""Tasks named one by one below their reason."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended.

    Attributes
    ----------
    title : str
        What was worked through.
    model_version : str
    outcome : Outcome
    skipped : int
        Tasks that were done before, or are left alone.
    seconds : float
    finished : bool
        False where it was stopped.
    """

    title: str
    model_version: str
    outcome: Outcome
    skipped: int
    seconds: float
    finished: bool

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why tasks failed, as was told of the first with that cause, and how many have it; the commonest first."""
        first: dict[str, str] = {}
        kinds = Counter[str]()
        for task, reason in self.outcome.failures:
            kind = _kind_of(reason, task)
            kinds[kind] += 1
            first.setdefault(kind, reason)
        return [(first[kind], count) for kind, count in kinds.most_common()]


def _kind_of(reason: str, task: int | str) -> str:
    """Reduce a message to what it has in common with those of other tasks: without names, addresses and numbers."""
    reason = reason.replace(task, "…") if isinstance(task, str) and task else reason
    words = ["…" if "/" in word or any(letter.isdigit() for letter in word) else word for word in reason.split()]
    return " ".join(word for before, word in pairwise(["", *words]) if (before, word) != ("…", "…"))


def write_report(summary: Summary, previews: Sequence[tuple[int | str, str]], folder: Path) -> Path:
    """Write ``index.html``, which asks for no other file; return its path.

    Raises
    ------
    PrebrushError
        The folder cannot be written.
    """
    page = folder / PAGE
    try:
        # names of files need not be text
        page.write_text(_page(summary, previews), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise PrebrushError(f"cannot write {page}: {error.strerror}") from error
    return page


def _page(summary: Summary, previews: Sequence[tuple[int | str, str]]) -> str:
    outcome = summary.outcome
    rate = outcome.done / summary.seconds if summary.seconds else 0.0
    state = "" if summary.finished else "<p><b>Stopped before its end; the same command goes on from here.</b></p>"
    facts = [
        (f"{outcome.done:,}", "predicted"),
        (f"{summary.skipped:,}", "left as they were"),
        (f"{outcome.failed:,}", "failed"),
        (f"{rate:.1f}", "a second"),
    ]
    numbers = "".join(f"<div><b>{number}</b>{word}</div>" for number, word in facts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>prebrush: {escape(summary.title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>{escape(summary.title)}</h1>"
        f"<p>{escape(summary.model_version)} · prebrush {__version__} · {summary.seconds:,.0f} s</p>{state}"
        f'<div class="facts">{numbers}</div>{_gallery(previews)}{_failures(summary)}</body></html>\n'
    )


def _gallery(previews: Sequence[tuple[int | str, str]]) -> str:
    figures = "".join(
        f'<figure><img alt="prediction of task {escape(str(task))}" src="{picture}">'
        f"<figcaption>{escape(str(task))}</figcaption></figure>"
        for task, picture in previews
    )
    return f'<h2>Some of them</h2><div class="row">{figures}</div>' if figures else ""


def _failures(summary: Summary) -> str:
    if not summary.outcome.failed:
        return ""
    kinds = "".join(
        f"<li>{count:,} × {'such as: ' if count > 1 else ''}{escape(reason)}</li>" for reason, count in summary.reasons
    )
    lines = "".join(
        f"<tr><td>{escape(str(task))}</td><td>{escape(reason)}</td></tr>"
        for task, reason in summary.outcome.failures[:SHOWN]
    )
    return f"<h2>Failed</h2><ul>{kinds}</ul><table><tr><th>task</th><th>reason</th></tr>{lines}</table>"


STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #777; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1240px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { margin-top: 2rem; font-size: 1.1rem } p { color: var(--dim) }
.facts { display: flex; flex-wrap: wrap; gap: 2.5rem; margin: 1.5rem 0; color: var(--dim) }
.facts b { display: block; font-size: 1.7rem; color: CanvasText; font-variant-numeric: tabular-nums }
.row { display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 1rem; align-items: end }
figure { margin: 0 } img { display: block; width: 100%; border-radius: 4px }
figcaption { font-size: .8rem; color: var(--dim); padding-top: .2rem; overflow-wrap: anywhere }
table { border-collapse: collapse } th, td { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line) }
"""
