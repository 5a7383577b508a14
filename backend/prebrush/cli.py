"""The command line. Errors are one line on stderr: exit 1, or 2 for usage and configuration; never a traceback."""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prebrush.errors import ConfigError, ImageError, InvalidPrompt, PrebrushError, RequestError
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
out = Console(highlight=False)

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Read by NumPy when it is imported, later than this. The server's threads fill the cores already: with threads of its
own for each small product of matrices, a click took four times as long."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file; else config.yaml here, if any.")]


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


@app.command()
def serve(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.")] = None,
    threads: Annotated[int | None, typer.Option(help="Requests served at the same time.")] = None,
) -> None:
    """Run the server that Label Studio connects to."""
    from prebrush.settings import load_settings
    from prebrush.web.serving import run_server

    given = {"host": host, "port": port, "threads": threads}
    flags = {("server", name): value for name, value in given.items() if value is not None}
    run_server(load_settings(config, flags=flags))


@app.command()
def segment(
    images: Annotated[list[Path], typer.Argument(help="Image files.", metavar="IMAGE...")],
    method: Annotated[str | None, typer.Option(help="Segmentation method; see `prebrush methods`.")] = None,
    knobs: Annotated[
        list[str] | None, typer.Option("-p", metavar="KNOB=VALUE", help="A knob of the method or of the clean-up.")
    ] = None,
    points: Annotated[
        list[str] | None, typer.Option("--point", metavar="X,Y[,-]", help="A click in pixels; ,- means not this.")
    ] = None,
    boxes: Annotated[list[str] | None, typer.Option("--box", metavar="L,T,R,B", help="A box in pixels.")] = None,
    labels: Annotated[list[str] | None, typer.Option("--label", metavar="NAME", help="Labels, in order.")] = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")] = Path("out"),
    as_json: Json = False,
) -> None:
    """Segment image files: an overlay, a label map and a Label Studio prediction for each."""
    from prebrush.files import Job, segment_file, unique_names
    from prebrush.recipes import build_recipe, build_rule, sort_knobs
    from prebrush.settings import load_settings

    settings = load_settings()
    choice = sort_knobs(dict(_split_knob(knob) for knob in knobs or []))
    choice = {**choice, **({"method": method} if method else {})}
    job = Job(
        recipe=build_recipe(choice, "the command line", settings.default),
        prompt=_read_prompt(points or [], boxes or []),
        labels=tuple(labels or ()),
        rule=build_rule(choice, "the command line", settings.default),
        folder=folder,
    )
    rows = []
    failed = 0
    for image, name in zip(images, unique_names(images), strict=True):
        started = time.perf_counter()
        try:
            found = segment_file(image, name, job, settings)
        except ImageError as error:
            # one bad file does not cost the others
            failed += 1
            sys.stderr.write(f"prebrush: {error}\n")
            continue
        rows.append({**found, "seconds": round(time.perf_counter() - started, 3)})
    _show_segmented(rows, as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _show_segmented(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print what was written for each file."""
    if as_json:
        _print_json(rows)
        return
    if not rows:
        return
    table = Table("image", "size", "method", "segments", "seconds", "written to")
    for row in rows:
        size = f"{row['width']} x {row['height']}"
        cells = (row["image"], size, row["method"], row["segments"], f"{row['seconds']:.2f}", row["overlay"])
        table.add_row(*(escape(str(cell)) for cell in cells))
    out.print(table)
    for row in rows:
        if row["why"] != row["method"]:
            out.print(escape(f"{row['image']}: {row['why']}"))


@app.command()
def methods(
    name: Annotated[str | None, typer.Argument(help="One method, for its knobs.", metavar="[NAME]")] = None,
    as_json: Json = False,
) -> None:
    """List the methods, or one method's knobs."""
    from prebrush.segmentation import METHODS, get_method

    if name is None:
        rows = [
            {"name": key, "from": method.package or "prebrush", "summary": method.summary}
            for key, method in METHODS.items()
        ]
    else:
        rows = [
            {"knob": knob.name, "default": knob.default, "values": knob.expected(), "help": knob.help}
            for knob in get_method(name).knobs
        ]
    if as_json:
        _print_json(rows)
        return
    table = Table(*(rows[0] if rows else ("knob",)), title=name)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row.values()))
    out.print(table)


Chosen = Annotated[str | None, typer.Option("--methods", metavar="A,B", help="These methods; else all.")]


@app.command()
def compare(
    image: Annotated[Path, typer.Argument(help="An image file.", metavar="IMAGE")],
    names: Chosen = None,
    sheet: Annotated[Path, typer.Option("--out", metavar="F.png", help="The sheet.")] = Path("comparison.png"),
    as_json: Json = False,
) -> None:
    """Draw one image through every method on one sheet, each with its time and segment count."""
    from prebrush.comparison import compare_methods
    from prebrush.progress import show_progress
    from prebrush.recipes import choose_methods
    from prebrush.settings import load_settings

    methods = choose_methods(names)
    with show_progress(len(methods), "segmenting") as step:
        tiles = compare_methods(image, methods, sheet, load_settings(), step)
    rows = [{"method": t.method, "segments": t.segments, "seconds": round(t.seconds, 3)} for t in tiles]
    if as_json:
        _print_json({"image": str(image), "sheet": str(sheet), "methods": rows})
        return
    table = Table("method", "segments", "seconds")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row.values()))
    out.print(table, f"drawn in {escape(str(sheet))}", sep="\n")


@app.command()
def evaluate(
    source: Annotated[Path, typer.Argument(help="Images and masks, or a JSON export.", metavar="FOLDER|EXPORT")],
    names: Chosen = None,
    knobs: Annotated[
        list[str] | None, typer.Option("-p", metavar="METHOD.KNOB=VALUE", help="A knob; A,B,C tries several values.")
    ] = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report goes.")] = Path("report"),
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the images of an export are.")] = None,
    clicks: Annotated[bool, typer.Option("--clicks", help="Count the clicks to a good answer, too; slow.")] = False,
    kind: Annotated[
        str | None, typer.Option(help="What masks show: regions, instances, classes; else guessed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure methods on images with ground truth: a table, CSV files, and a page with the best and worst pictures."""
    from prebrush.evaluation import report
    from prebrush.evaluation.datasets import read_dataset
    from prebrush.evaluation.tables import print_summaries
    from prebrush.evaluation.trials import plan_trials, run_trials, sort_by_method
    from prebrush.progress import show_progress
    from prebrush.recipes import choose_methods
    from prebrush.settings import load_settings

    settings, methods = load_settings(), choose_methods(names)
    by_method = sort_by_method([_split_knob(knob) for knob in knobs or []], methods)
    trials = plan_trials(read_dataset(source, kind, images), methods, by_method, with_clicks=clicks)
    with show_progress(len(trials), "measuring") as step:
        results = run_trials(trials, settings, step)
    with show_progress(report.count_pictures(results), "drawing") as step:
        page = report.write_report(results, folder, settings, step)
    if as_json:
        _print_json({"report": str(page), "summary": report.summary_rows(results)})
        return
    print_summaries(results, out)
    out.print(f"the report is {escape(str(page))}")


@app.command()
def check(config: ConfigFile = None, as_json: Json = False) -> None:
    """Test settings, storage and Label Studio; say for each failure what to change."""
    from prebrush.checkup import run_checks
    from prebrush.settings import describe_settings, load_settings

    settings = load_settings(config)
    findings = run_checks(settings)
    if as_json:
        _print_json({"settings": [row[:2] for row in describe_settings(settings)], "checks": findings})
    else:
        table = Table("setting", "in force", title="Settings")
        for setting, value, _ in describe_settings(settings):
            table.add_row(setting, escape(value))
        out.print(table)
        for finding in findings:
            mark = "[green]ok[/]    " if finding["ok"] else "[red]failed[/]"
            out.print(f"{mark} {escape(finding['what'])}: {escape(finding['found'])}")
            if finding["advice"]:
                out.print(f"       {escape(finding['advice'])}")
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)


@app.command()
def health(config: ConfigFile = None) -> None:
    """Ask the server on this machine whether it is up, as a container's health check does."""
    from prebrush.checkup import ask_health
    from prebrush.settings import load_settings

    out.print(ask_health(load_settings(config)))


@app.command("warm-up")
def warm_up() -> None:
    """Compile the kernels ahead of time, as an image build or a first start does."""
    from prebrush.warming import warm_kernels

    started = time.perf_counter()
    warm_kernels()
    out.print(f"kernels ready in {time.perf_counter() - started:.1f} s")


def _split_knob(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ConfigError(f"-p {text}: expected KNOB=VALUE, as in -p scale=200")
    return name.strip(), value.strip()


_CLICK = re.compile(r"(?P<x>-?\d{1,9}),(?P<y>-?\d{1,9})(?P<sign>,[-+])?", re.ASCII)
_CORNERS = re.compile(r"(?P<left>-?\d{1,9}),(?P<top>-?\d{1,9}),(?P<right>-?\d{1,9}),(?P<bottom>-?\d{1,9})", re.ASCII)


def _read_prompt(points: list[str], boxes: list[str]) -> Any:
    from prebrush.datatypes import Prompt

    clicks = [_CLICK.fullmatch(text) for text in points]
    corners = [_CORNERS.fullmatch(text) for text in boxes]
    if None in clicks or None in corners:
        raise InvalidPrompt("a --point is X,Y or X,Y,- and a --box is LEFT,TOP,RIGHT,BOTTOM, all whole pixels")
    return Prompt(
        points=tuple((int(m["y"]), int(m["x"]), m["sign"] != ",-") for m in clicks if m),
        boxes=tuple((int(m["top"]), int(m["left"]), int(m["bottom"]), int(m["right"])) for m in corners if m),
    )


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
