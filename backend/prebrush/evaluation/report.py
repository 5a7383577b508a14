"""The report of an evaluation: two CSV files, and a page of its own with tables and the best and worst pictures."""

import csv
import io
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from prebrush.errors import PrebrushError
from prebrush.evaluation.drawing import as_url, draw_row
from prebrush.evaluation.items import Kind
from prebrush.evaluation.measuring import FIGURES, figures_of
from prebrush.evaluation.results import Results, Row, Summary
from prebrush.settings import Settings
from prebrush.version import __version__

SHOWN = 2
"""Pictures of the best and of the worst images, each."""
KIND_TEXT = {
    "regions": "The whole image is divided into regions.",
    "instances": "Every object is to be a segment of its own.",
    "classes": "Each class is compared with the segments that lie in it by more than half, joined.",
    "interactive": "One object is asked for with a box.",
}


def write_report(results: Results, folder: Path, settings: Settings, on_progress: Callable[[str], None]) -> Path:
    """Write ``index.html``, ``summary.csv`` and ``images.csv``.

    Parameters
    ----------
    results : Results
    folder : Path
        Made if it is not there.
    settings : Settings
        For the limits on images: those pictured are segmented once more.
    on_progress : callable (text)
        Called once for each of `count_pictures`.

    Returns
    -------
    Path
        Of the page. It asks for no other file.

    Raises
    ------
    PrebrushError
        The folder cannot be written.
    """
    page = folder / "index.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "summary.csv").write_text(_csv(summary_rows(results)), encoding="utf-8")
        (folder / "images.csv").write_text(_csv(_image_rows(results)), encoding="utf-8")
        page.write_text(_page(results, settings, on_progress), encoding="utf-8")
    except OSError as error:
        raise PrebrushError(f"cannot write into {folder}: {error.strerror}") from error
    return page


def count_pictures(results: Results) -> int:
    """Count the pictures that the page will show."""
    return sum(len(best) + len(worst) for best, worst in map(_extremes, results.summaries))


def summary_rows(results: Results) -> list[dict[str, Any]]:
    """List one row for each group and method, as ``summary.csv`` and ``--json`` give them."""
    return [
        {
            "group": each.group,
            "kind": each.kind,
            "method": each.method,
            "setting": each.setting,
            "images": len(each.rows),
            "main_figure": FIGURES[each.kind][0].key,
            "main": round(each.main, 4),
            "main_ois": None if each.ois is None else round(each.ois, 4),
            "seconds": round(each.seconds, 4),
            "segments": round(each.segments, 1),
            **{key: round(value, 4) for key, value in each.figures.items()},
        }
        for group, kind in results.groups()
        for each in results.of_group(group, kind)
    ]


def _image_rows(results: Results) -> list[dict[str, Any]]:
    return [
        {
            "group": row.item.group,
            "image": row.item.name,
            "kind": row.item.kind,
            "method": row.method,
            "setting": row.setting.name,
            "seconds": round(row.seconds, 4),
            "segments": row.segments,
            **{key: round(value, 4) for key, value in row.figures.items()},
        }
        for row in results.rows
    ]


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _extremes(summary: Summary) -> tuple[Sequence[Row], Sequence[Row]]:
    """Return the best and the worst images, best first and worst first, none twice."""
    rows = summary.rows
    best = rows[::-1][:SHOWN]
    return best, rows[: min(SHOWN, len(rows) - len(best))]


def _page(results: Results, settings: Settings, on_progress: Callable[[str], None]) -> str:
    images = len({id(row.item) for row in results.rows})
    left_out = (
        f"<p>Left out, as nothing is marked: {escape(', '.join(results.unmarked))}.</p>" if results.unmarked else ""
    )
    body = [f"<h1>Methods on {images} images</h1>{left_out}"]
    body.append(f"<p>prebrush {__version__}. Means over images. In pictures, the truth is left, the result right.</p>")
    for group, kind in results.groups():
        summaries = results.of_group(group, kind)
        body.append(f"<section><h2>{escape(group)}</h2><p>{_describe(kind, summaries)}</p>{_table(kind, summaries)}")
        body += [_pictures(each, settings, on_progress) for each in summaries]
        body.append("</section>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>prebrush: methods compared</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _describe(kind: Kind, summaries: Sequence[Summary]) -> str:
    text = f"{len(summaries[0].rows)} images. {KIND_TEXT[kind]}"
    if any(each.ois is not None for each in summaries):
        text += " ODS: at the one best value of the knob for all images. OIS: at each image's own best value."
    return escape(text)


def _table(kind: Kind, summaries: Sequence[Summary]) -> str:
    figures = figures_of(kind, [each.figures for each in summaries])
    best = {
        figure.key: (max if figure.higher_is_better else min)(
            each.figures[figure.key] for each in summaries if figure.key in each.figures
        )
        for figure in figures
    }
    with_ois = any(each.ois is not None for each in summaries)
    heads = [_cell("th", "method"), _cell("th", "setting")]
    heads += [_cell("th", figure.title, 'class="n"', figure.help) for figure in figures]
    if with_ois:
        heads[2] = _cell("th", f"{figures[0].title} ODS", 'class="n"', figures[0].help)
        heads.insert(3, _cell("th", "OIS", 'class="n"'))
    heads += [_cell("th", "segments", 'class="n"'), _cell("th", "s an image", 'class="n"'), _cell("th", "each image")]
    lines = [f"<tr>{''.join(heads)}</tr>"]
    for each in summaries:
        cells = [_cell("td", each.method), _cell("td", each.setting)]
        cells += [_number(each.figures.get(figure.key), best[figure.key]) for figure in figures]
        if with_ois:
            cells.insert(3, _number(each.ois, None))
        cells += [_cell("td", f"{each.segments:.0f}", 'class="n"'), _cell("td", f"{each.seconds:.2f}", 'class="n"')]
        lines.append(f"<tr>{''.join(cells)}<td>{_strip(each)}</td></tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _cell(tag: str, text: str, attributes: str = "", title: str = "") -> str:
    hint = f' title="{escape(title)}"' if title else ""
    return f"<{tag} {attributes}{hint}>{escape(text)}</{tag}>"


def _number(value: float | None, best: float | None) -> str:
    text = "" if value is None else f"{value:.3f}"
    return f'<td class="n"><b>{text}</b></td>' if value is not None and value == best else f'<td class="n">{text}</td>'


def _strip(summary: Summary) -> str:
    """Draw the main figure of every image as a dot between 0 and 1, and the mean as a line."""
    main = FIGURES[summary.kind][0].key
    dots = "".join(
        f'<circle cx="{4 + 152 * row.figures[main]:.1f}" cy="9" r="3"><title>{escape(row.item.name)}: '
        f"{row.figures[main]:.3f}</title></circle>"
        for row in summary.rows
    )
    mean = 4 + 152 * summary.main
    return (
        '<svg width="160" height="18" role="img"><line class="axis" x1="4" x2="156" y1="9" y2="9"/>'
        f'{dots}<line class="mean" x1="{mean:.1f}" x2="{mean:.1f}" y1="1" y2="17"/></svg>'
    )


def _pictures(summary: Summary, settings: Settings, on_progress: Callable[[str], None]) -> str:
    best, worst = _extremes(summary)
    lines = [f"<h3>{escape(summary.method)} <small>{escape(summary.setting)}</small></h3><div class='row'>"]
    for word, rows in (("best", best), ("worst", worst)):
        for row in rows:
            value = f"{FIGURES[summary.kind][0].title} {row.figures[FIGURES[summary.kind][0].key]:.3f}"
            lines.append(
                f'<figure><img loading="lazy" alt="truth and result of {escape(row.item.name)}" '
                f'src="{as_url(draw_row(row, settings))}"><figcaption><b class="{word}">{word}</b> '
                f"{escape(row.item.name)} · {escape(value)}</figcaption></figure>"
            )
            on_progress(f"picture of {row.item.name} · {row.method}")
    return "".join(lines) + "</div>"


STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #777; --dot: #0091d5; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1380px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem }
h3 { margin: 1.4rem 0 .4rem } small { color: var(--dim); font-weight: normal }
.wide { overflow-x: auto } table { border-collapse: collapse }
th, td { padding: .25rem .7rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap }
th { font-weight: 600; color: var(--dim) } .n { text-align: right; font-variant-numeric: tabular-nums }
svg { display: block } circle { fill: var(--dot); fill-opacity: .35 }
.axis { stroke: var(--line) } .mean { stroke: currentColor; stroke-width: 2 }
.row { display: flex; flex-wrap: wrap; gap: .8rem } figure { margin: 0 } img { display: block; max-width: 100% }
figcaption { font-size: .85rem; color: var(--dim); padding-top: .2rem }
.best { color: #2a8a3a } .worst { color: #c8402c }
"""
