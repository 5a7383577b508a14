"""How good methods are: evaluate."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from prebrush.commands.terminal import Chosen, Json, out, print_json, split_knob


def evaluate(
    source: Annotated[Path, typer.Argument(help="Images and masks, or a JSON export.", metavar="FOLDER|EXPORT")],
    names: Chosen = None,
    knobs: Annotated[
        list[str] | None, typer.Option("-p", metavar="[METHOD.]KNOB=VALUE", help="A knob; A,B,C tries several values.")
    ] = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the report goes.")] = Path("report"),
    images: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the images of an export are.")] = None,
    clicks: Annotated[bool, typer.Option("--clicks", help="Count the clicks to a good answer, too; slow.")] = False,
    kind: Annotated[
        str | None, typer.Option(help="What masks show: regions, instances or classes; else guessed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure methods on images with ground truth: a table, CSV files, and a page with the best and worst pictures."""
    from prebrush.evaluation import report
    from prebrush.evaluation.datasets import read_dataset
    from prebrush.evaluation.tables import print_summaries
    from prebrush.evaluation.trials import plan_trials, run_trials, sort_by_method
    from prebrush.files import make_folder
    from prebrush.progress import show_progress
    from prebrush.recipes import choose_methods
    from prebrush.settings import load_settings

    settings, methods = load_settings(), choose_methods(names)
    by_method = sort_by_method([split_knob(knob) for knob in knobs or []], methods)
    items = read_dataset(source, kind, images)
    trials = plan_trials(items, methods, by_method, with_clicks=clicks)
    make_folder(folder)
    if clicks and not any(trial.with_clicks for trial in trials):
        _say_why_no_clicks(any(item.kind == "interactive" for item in items))
    with show_progress(len(trials), "measuring") as step:
        results = run_trials(trials, settings, step)
    with show_progress(report.count_pictures(results), "drawing") as step:
        page = report.write_report(results, folder, settings, step)
    if as_json:
        print_json({"report": str(page), "summary": report.summary_rows(results)})
        return
    print_summaries(results, out)
    out.print(f"the report is {escape(str(page))}", soft_wrap=True)


def _say_why_no_clicks(has_boxes: bool) -> None:
    """Warn on stderr: the table without the figure that was asked for would leave people guessing."""
    why = (
        "none of these methods reads clicks"
        if has_boxes
        else ("none of these images asks for one object; that takes a box for each, in a manifest")
    )
    sys.stderr.write(f"prebrush: --clicks counts nothing: {why}\n")
