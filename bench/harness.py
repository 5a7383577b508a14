"""What a row of a benchmark is, and how rows are measured, printed and saved."""

import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
from rich.console import Console
from rich.table import Table

SAMPLE_MS = 10
"""A side that is faster is called several times in a row for one sample, as ``timeit`` does."""

RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("numpy", "numba", "opencv-python-headless", "scikit-image", "msgspec", "label-studio-sdk", "prebrush")
HEADINGS = ("what", "input", "ours (ms)", "reference (ms)", "ratio", "required", "quality", "")


class WrongResultError(Exception):
    """What was measured is fast but wrong; the text says how."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One comparison, or one measurement with an absolute limit.

    Attributes
    ----------
    name, input : str
        What is measured, and on what.
    ours : callable
        Takes nothing and does the work that is measured.
    check : callable (our result, the reference's result) -> str
        Says how good the result is, or raises `WrongResultError`. The reference's result is None where there is none.
    reference : callable or None
        Does the same with the library that is compared with.
    least_ratio : float or None
        How many times faster than the reference ours must be.
    limit_ms : float or None
        How long ours may take, in milliseconds.
    rounds : int
        How many samples of both are taken, in turn. With one round, for a reference that takes very long, its only
        call is the sample.
    """

    name: str
    input: str
    ours: Callable[[], Any]
    check: Callable[[Any, Any], str]
    reference: Callable[[], Any] | None = None
    least_ratio: float | None = None
    limit_ms: float | None = None
    rounds: int = 9

    def __post_init__(self) -> None:
        if self.least_ratio is not None and self.reference is None:
            raise ValueError(f"{self.name}: a required ratio needs a reference")


@dataclass(frozen=True, slots=True)
class Measured:
    """A row with its medians, in milliseconds, and what its check said."""

    row: Row
    ours_ms: float
    reference_ms: float | None
    quality: str
    is_right: bool

    @property
    def ratio(self) -> float | None:
        """How many times faster ours is."""
        return None if self.reference_ms is None else self.reference_ms / self.ours_ms

    @property
    def passed(self) -> bool:
        """Whether the result is right and every bar of the row is met."""
        fast_enough = self.row.limit_ms is None or self.ours_ms <= self.row.limit_ms
        ahead = self.row.least_ratio is None or (self.ratio is not None and self.ratio >= self.row.least_ratio)
        return self.is_right and fast_enough and ahead

    def cells(self) -> tuple[str, ...]:
        """Give the texts of the table's columns, except for the mark."""
        required = []
        if self.row.least_ratio is not None:
            required.append(f"{self.row.least_ratio:g}x")
        if self.row.limit_ms is not None:
            required.append(f"{self.row.limit_ms:g} ms")
        reference = "" if self.reference_ms is None else _three_digits(self.reference_ms)
        ratio = "" if self.ratio is None else f"{_three_digits(self.ratio)}x"
        return (
            self.row.name,
            self.row.input,
            _three_digits(self.ours_ms),
            reference,
            ratio,
            ", ".join(required),
            self.quality,
        )


def run(name: str, rows: Generator[Row, None, None]) -> list[Measured]:
    """Measure all rows of one benchmark, print its table and save it as Markdown.

    What the generator holds open is open while the row it gave is measured, and closed if that fails.
    """
    cv2.setNumThreads(1)
    console = _console()
    measured = []
    with closing(rows):
        for row in rows:
            console.print(f"[dim]{name}: {row.name}, {row.input}[/dim]")
            measured.append(measure(row))
    show(name, measured)
    return measured


def show(name: str, measured: Sequence[Measured]) -> None:
    """Print a table and save it as Markdown."""
    table = Table(*HEADINGS, title=name, caption=describe_machine())
    for line in measured:
        table.add_row(*line.cells(), "[green]pass[/green]" if line.passed else "[bold red]MISSED[/bold red]")
    _console().print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(to_markdown(name, measured), encoding="utf-8")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 160)


def measure(row: Row) -> Measured:
    """Run both sides in turn and compare what they give."""
    row.ours()  # compiles and loads
    ours_result, ours_ms = _call(row.ours)
    reference_result, reference_ms = _call(row.reference) if row.reference else (None, 0.0)
    try:
        quality, is_right = row.check(ours_result, reference_result), True
    except WrongResultError as error:
        quality, is_right = f"WRONG: {error}", False
    ours_samples, reference_samples = [], []
    gc.collect()
    gc.disable()
    try:
        for _ in range(row.rounds):
            ours_samples.append(_sample(row.ours, ours_ms))
            if row.reference and row.rounds > 1:
                reference_samples.append(_sample(row.reference, reference_ms))
    finally:
        gc.enable()
    reference_median = statistics.median(reference_samples or [reference_ms]) if row.reference else None
    return Measured(row, statistics.median(ours_samples), reference_median, quality, is_right)


def _call(function: Callable[[], Any]) -> tuple[Any, float]:
    """Give what a function gives and how many milliseconds it took."""
    start = time.perf_counter_ns()
    result = function()
    return result, (time.perf_counter_ns() - start) / 1e6


def _sample(function: Callable[[], Any], expected_ms: float) -> float:
    """Give the milliseconds of one call, as the mean of so many calls as fill a sample."""
    n_calls = max(1, min(1000, round(SAMPLE_MS / max(expected_ms, 1e-3))))
    start = time.perf_counter_ns()
    for _ in range(n_calls):
        function()
    return (time.perf_counter_ns() - start) / 1e6 / n_calls


def describe_machine() -> str:
    """Name what the figures depend on: processor, Python and library versions."""
    versions = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return f"{machine}; {versions}. Medians, one thread, both sides in turn in one process."


def _processor() -> str:
    """Read the model's name; where Linux's table is missing, Python knows at least the architecture."""
    table = Path("/proc/cpuinfo")
    if sys.platform == "linux" and table.is_file():
        for line in table.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def to_markdown(name: str, measured: Sequence[Measured]) -> str:
    lines = [f"# {name}", "", describe_machine(), ""]
    lines += ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    lines += ["| " + " | ".join((*line.cells(), "pass" if line.passed else "**missed**")) + " |" for line in measured]
    return "\n".join(lines) + "\n"


def _three_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
