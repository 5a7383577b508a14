"""Image files on this machine: segment, methods, compare."""

import re
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table

from prebrush.commands.terminal import Chosen, Json, out, print_json, split_knob
from prebrush.errors import ConfigError, ImageError, InvalidPrompt


def segment(
    images: Annotated[list[Path], typer.Argument(help="Image files.", metavar="IMAGE")],
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
    choice = sort_knobs(dict(split_knob(knob) for knob in knobs or []))
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
        print_json(rows)
        return
    if not rows:
        return
    table = Table(Column("image", overflow="fold"), "size", "method", "segments", "seconds")
    for row in rows:
        size = f"{row['width']} x {row['height']}"
        cells = (row["image"], size, row["method"], row["segments"], f"{row['seconds']:.2f}")
        table.add_row(*(escape(str(cell)) for cell in cells))
    out.print(table)
    for row in rows:
        if row["why"] != row["method"]:
            out.print(escape(f"{row['image']}: {row['why']}"), soft_wrap=True)
        # not in the table: a path that is broken over two lines can be neither copied nor clicked on
        out.print(escape(f"written: {row['overlay']}, {row['labels']}, {row['json']}"), soft_wrap=True)


def methods(
    name: Annotated[str | None, typer.Argument(help="One method, for its knobs.", metavar="NAME")] = None,
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
        print_json(rows)
        return
    table = Table(*(rows[0] if rows else ("knob",)), title=name)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row.values()))
    out.print(table)


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

    if sheet.suffix.lower() != ".png":
        raise ConfigError(f"--out {sheet}: the sheet is written as PNG; choose a name that ends in .png")
    methods = choose_methods(names)
    with show_progress(len(methods), "segmenting") as step:
        tiles = compare_methods(image, methods, sheet, load_settings(), step)
    rows = [{"method": t.method, "segments": t.segments, "seconds": round(t.seconds, 3)} for t in tiles]
    if as_json:
        print_json({"image": str(image), "sheet": str(sheet), "methods": rows})
        return
    table = Table("method", "segments", "seconds")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row.values()))
    out.print(table)
    out.print(f"drawn in {escape(str(sheet))}", soft_wrap=True)


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
