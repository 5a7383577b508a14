"""Whole projects: prelabel, worker."""

import sys
import threading
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from prebrush.commands.terminal import ConfigFile, Json, out, print_json
from prebrush.errors import ConfigError

if TYPE_CHECKING:
    from prebrush.batch.report import Summary
    from prebrush.batch.sessions import Finished, Session
    from prebrush.settings import Settings

STOPPED = 130
"""Exit status of a run that was stopped and may go on."""

Url = Annotated[str | None, typer.Option(help="Address of Label Studio; else LABEL_STUDIO_URL.")]
ApiKey = Annotated[
    str | None,
    typer.Option(help="Access token; better LABEL_STUDIO_API_KEY: other users of this machine see a command's flags."),
]
OnlyMissing = Annotated[
    bool,
    typer.Option(
        "--only-missing",
        help="Leave tasks alone that have a prediction of any version, or an annotation. Without it, those that have a "
        "prediction of the current version.",
    ),
]
ImageUrl = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Address of a folder's images in Label Studio, with {folder}, {path} or {name} in it; else that of a "
        "local storage.",
    ),
]


def prelabel(
    folder: Annotated[Path | None, typer.Argument(help="Images without a Label Studio.", metavar="FOLDER")] = None,
    project: Annotated[int | None, typer.Option(min=1, help="Number of the project, as in its address.")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    only_missing: OnlyMissing = False,
    target: Annotated[
        Path | None, typer.Option("--out", metavar="F.json", help="Write a file to import, and upload nothing.")
    ] = None,
    label_config: Annotated[
        Path | None, typer.Option(metavar="F.xml", help="Labeling config for a folder; else one brush, Object.")
    ] = None,
    image_url: ImageUrl = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Have `prebrush worker` processes do it, on any machines, and watch them.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Tell how far the workers are, and end.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the report goes; else prelabel-NUMBER or -FOLDER here.")
    ] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Pre-label a whole project, or a folder of images; stopped or killed, the same command goes on."""
    _check_combination(
        is_folder=folder is not None,
        is_project=project is not None,
        has_target=target is not None,
        has_folder_options=bool(label_config or image_url),
        only_missing=only_missing,
        queue=queue,
        status=status,
    )
    from prebrush.batch.folder import name_of
    from prebrush.batch.stopping import stopped_by_signals
    from prebrush.settings import load_settings

    given = {("label_studio", "url"): url, ("label_studio", "api_key"): api_key}
    settings = load_settings(config, flags={place: value for place, value in given.items() if value is not None})
    if status:
        _show_standing(settings, project or 0, as_json=as_json)
        return
    stop = threading.Event()
    place = report or Path(f"prelabel-{name_of(folder) if folder else project}")
    with stopped_by_signals(stop):
        session = _open_session(settings, place, stop, queue=queue, show=not as_json)
        if folder is not None and target is not None:
            finished = _label_folder(session, settings, folder, label_config, image_url, target)
        else:
            finished = _label_project(session, settings, project or 0, only_missing=only_missing, target=target)
    _show(finished, target, queue=queue, as_json=as_json)
    if not finished.summary.finished:
        raise typer.Exit(STOPPED)
    if finished.summary.outcome.failed:
        raise typer.Exit(1)


def _check_combination(
    *,
    is_folder: bool,
    is_project: bool,
    has_target: bool,
    has_folder_options: bool,
    only_missing: bool,
    queue: bool,
    status: bool,
) -> None:
    """Refuse flags of `prelabel` that do not go together, before anything is loaded."""
    if is_folder == is_project:
        raise ConfigError("name either a project (--project 7) or a folder of images")
    if is_folder and not has_target:
        raise ConfigError("where do the predictions of a folder go? Give --out tasks.json")
    if is_project and has_folder_options:
        raise ConfigError("--label-config and --image-url are for a folder; a project has its own")
    if only_missing and (status or is_folder):
        raise ConfigError("--only-missing is for a run over a project, neither for a folder nor for --status")
    if (queue or status) and (is_folder or has_target):
        raise ConfigError("--queue and --status are for a project whose predictions are uploaded")


def _open_session(settings: "Settings", place: Path, stop: threading.Event, *, queue: bool, show: bool) -> "Session":
    if queue:
        from prebrush.batch.queue import connect
        from prebrush.batch.queued_run import QueuedSession

        return QueuedSession(place, stop, connect(settings), show=show)
    from prebrush.batch.sessions import Session

    return Session(place, stop, show=show)


def _show_standing(settings: "Settings", number: int, *, as_json: bool) -> None:
    """Print how far the workers are with a project."""
    from prebrush.batch.queue import connect, translated
    from prebrush.batch.queued_run import find_runs, stand

    client = connect(settings)
    with translated():
        standings = [stand(client, board) for board in find_runs(client, number)]
    if as_json:
        print_json([asdict(standing) for standing in standings])
        return
    if not standings:
        out.print(
            f"workers know no run of project {number}; begin one with: prebrush prelabel --project {number} --queue"
        )
    for each in standings:
        rate = (each.done + each.failed) / max(each.seconds, 1e-3)
        left = timedelta(seconds=round((each.wanted - each.done - each.failed) / rate)) if rate else "unknown"
        table = Table("run", "", title=escape(f"Project {each.project}: {each.title}"))
        table.add_row("tasks", f"{each.done} of {each.wanted} predicted, {each.failed} failed")
        table.add_row("chunks", f"{each.finished} of {each.chunks} finished, {each.given_up} given up")
        table.add_row("queue", f"{each.queued} chunks wait, {each.running} are worked on, {each.workers} workers")
        table.add_row("pace", "over" if each.is_over else f"{rate:.1f} tasks/s, {left} left")
        table.add_row("version", each.version)
        out.print(table)


def worker(
    processes: Annotated[int, typer.Option(min=1, max=256, help="Processes; each fills a few cores by itself.")] = 1,
    burst: Annotated[bool, typer.Option("--burst", help="End when the queue is empty.")] = False,
    config: ConfigFile = None,
) -> None:
    """Work on the runs that `prelabel --queue` hands out, on this machine, until stopped."""
    from prebrush.batch.queue import connect
    from prebrush.process import bound_allocator, configure_logging
    from prebrush.settings import load_settings
    from prebrush.warming import warm_kernels

    settings = load_settings(config)
    connect(settings).close()
    if processes > 1:
        from prebrush.batch.worker_processes import run_processes

        raise typer.Exit(run_processes(processes, config, burst=burst))
    from prebrush.batch.worker import run_worker

    configure_logging(settings)
    bound_allocator()
    warm_kernels()
    run_worker(settings, burst=burst)


def _label_project(
    session: "Session", settings: "Settings", number: int, *, only_missing: bool, target: Path | None
) -> "Finished":
    from prebrush.batch.run import plan_run
    from prebrush.batch.studio import open_project

    with (
        closing(open_project(settings, number)) as project,
        closing(plan_run(settings, project, only_missing=only_missing)) as run,
    ):
        return session.write_project(run, target) if target else session.label_project(run)


def _label_folder(
    session: "Session",
    settings: "Settings",
    folder: Path,
    label_config: Path | None,
    image_url: str | None,
    target: Path,
) -> "Finished":
    from prebrush.batch.folder import ADDRESS
    from prebrush.batch.sessions import DEFAULT_CONFIG

    text = DEFAULT_CONFIG
    if label_config is not None:
        try:
            text = label_config.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot read {label_config}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{label_config} is no labeling config: it is not text in UTF-8") from error
    finished = session.write_folder(settings, folder, text, image_url or ADDRESS, target)
    if label_config is None:
        sys.stderr.write(f"Labeling config of the project to import into:\n  {DEFAULT_CONFIG}\n")
    return finished


def _show(finished: "Finished", target: Path | None, *, queue: bool, as_json: bool) -> None:
    """Print how a run ended."""
    summary = finished.summary
    if as_json:
        print_json(
            {
                "title": summary.title,
                "model_version": summary.model_version,
                "done": summary.outcome.done,
                "skipped": summary.skipped,
                "failed": summary.outcome.failed,
                "failures": [{"task": task, "reason": reason} for task, reason in summary.outcome.failures],
                "seconds": round(summary.seconds, 1),
                "finished": summary.finished,
                "out": str(target) if target and summary.finished else None,
                "report": str(finished.report),
            }
        )
        return
    outcome = summary.outcome
    rate = outcome.done / summary.seconds
    out.print(
        f"{escape(summary.title)}: {outcome.done} predicted in {summary.seconds:.0f} s ({rate:.1f}/s), "
        f"{summary.skipped} left as they were, {outcome.failed} failed",
        soft_wrap=True,
    )
    for reason, count in summary.reasons[:10]:
        out.print(escape(f"  {count} x {'such as: ' if count > 1 else ''}{reason}"), soft_wrap=True)
    if target and summary.finished:
        out.print(escape(f"import {target} into Label Studio"), soft_wrap=True)
    out.print(escape(f"version {summary.model_version}; the report is {finished.report}"), soft_wrap=True)
    _say_how_to_go_on(summary, queue=queue)


def _say_how_to_go_on(summary: "Summary", *, queue: bool) -> None:
    if not summary.finished and queue:
        sys.stderr.write("prebrush: the workers go on without this; the same command watches them again\n")
    elif not summary.finished:
        sys.stderr.write("prebrush: stopped; the same command goes on from here\n")
    elif summary.outcome.failed:
        sys.stderr.write("prebrush: the same command tries those that failed again\n")
