"""The commands by name; each imports what it needs when it runs, so that ``--help`` waits for nothing."""

from typing import Annotated

import typer

from prebrush.commands.measuring import evaluate
from prebrush.commands.projects import prelabel, worker
from prebrush.commands.segmenting import compare, methods, segment
from prebrush.commands.server import check, health, serve, warm_up
from prebrush.commands.terminal import out
from prebrush.version import __version__

app = typer.Typer(
    name="prebrush",
    help="Pre-label images for Label Studio with classical segmentation, on an ordinary CPU.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""typer's class for every wrong use of a command; it has no public name in all the versions we support."""


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"prebrush {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Pre-label images for Label Studio with classical segmentation, on an ordinary CPU."""


for command in (serve, segment, methods, compare, evaluate, prelabel, worker, check, health, warm_up):
    app.command(command.__name__.replace("_", "-"))(command)


def run() -> int:
    """Run the command that the process was started with; return its exit status.

    Raises
    ------
    UsageError
        The command is used wrongly.
    KeyboardInterrupt
        It was stopped.
    """
    try:
        status = app(standalone_mode=False)
    except typer.Abort as stopped:
        # typer's name for Ctrl-C
        raise KeyboardInterrupt from stopped
    return status if isinstance(status, int) else 0
