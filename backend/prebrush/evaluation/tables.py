"""The evaluation on the terminal: one table for each group of images."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prebrush.evaluation.items import Kind
from prebrush.evaluation.measuring import FIGURES, figures_of
from prebrush.evaluation.results import Results, Summary


def print_summaries(results: Results, out: Console) -> None:
    """Print a table for each group: methods from best to worst by the main figure, which comes first."""
    for group, kind in results.groups():
        out.print(_table(group, kind, results.of_group(group, kind)))
    if results.unmarked:
        out.print(f"left out, as nothing is marked: {escape(', '.join(results.unmarked))}")


def _table(group: str, kind: Kind, summaries: list[Summary]) -> Table:
    with_ois = any(each.ois is not None for each in summaries)
    columns = {figure.key: figure.title for figure in figures_of(kind, [each.figures for each in summaries])}
    columns[FIGURES[kind][0].key] += " ODS" if with_ois else ""
    # narrow, so that all columns fit a terminal of 80
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, title_justify="left", title_style="bold")
    table.title = f"\n{escape(group)} ({kind}, {len(summaries[0].rows)} images)"
    table.add_column("method", no_wrap=True)
    titles = [*columns.values(), "found", "s/image"]
    if with_ois:
        titles.insert(1, "OIS")
    for title in titles:
        table.add_column(escape(title), justify="right")
    for each in summaries:
        figures = [f"{each.figures[key]:.3f}" if key in each.figures else "" for key in columns]
        figures[0] = f"[bold]{figures[0]}[/]"
        if with_ois:
            figures.insert(1, f"{each.ois:.3f}" if each.ois is not None else "")
        name = escape(f"{each.method} {each.setting}".rstrip())
        table.add_row(name, *figures, f"{each.segments:.0f}", f"{each.seconds:.2f}")
    return table
