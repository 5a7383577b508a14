"""The command line. Errors are one line on stderr: exit 1, or 2 for usage and configuration; never a traceback."""

import os
import sys
from typing import Annotated, NoReturn

import typer

from prebrush.commands.measuring import evaluate
from prebrush.commands.projects import prelabel, worker
from prebrush.commands.segmenting import compare, methods, segment
from prebrush.commands.server import check, health, serve, warm_up
from prebrush.commands.terminal import out
from prebrush.errors import ConfigError, PrebrushError, RequestError
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
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Read by NumPy when it is imported, later than this. The server's threads fill the cores already: with threads of its
own for each small product of matrices, a click took four times as long."""


def main() -> NoReturn:
    """Run the command line and turn errors into one line and an exit status."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    try:
        status = app(standalone_mode=False)
    except PrebrushError as error:
        sys.stderr.write(f"prebrush: {error}\n")
        sys.exit(2 if isinstance(error, ConfigError | RequestError) else 1)
    except UsageError as error:
        sys.stderr.write(f"prebrush: {error.format_message() or 'name a command'}\n")  # type: ignore[attr-defined]  # typer hides the class
        sys.exit(2)
    except typer.Abort:
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


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
