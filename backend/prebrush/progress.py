"""A progress bar on the terminal, for commands that work through many images."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def show_progress(total: int, what: str) -> Iterator[Callable[[str], None]]:
    """Show a bar on stderr; what is yielded takes one step and says what it was."""
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[at]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total, at="")
        yield lambda text: progress.update(task, advance=1, at=escape(text[:60]))
