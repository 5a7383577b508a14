"""What `prebrush prelabel` does from its start to its summary, for a project, into a file, from a folder."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from prebrush.batch.chunks import CHUNK_TASKS
from prebrush.batch.folder import ENDINGS, FilePictures, build_tasks, find_images, name_of
from prebrush.batch.journal import FileJournal
from prebrush.batch.labelling import BatchPredictor, Labelled, Labeller
from prebrush.batch.local_run import run_here
from prebrush.batch.locks import hold, hold_project
from prebrush.batch.report import PAGE, Summary, write_report
from prebrush.batch.run import Outcome, Previews, ProjectRun
from prebrush.batch.scratch import Scratch
from prebrush.batch.tasks_file import TasksFile
from prebrush.datatypes import Task
from prebrush.errors import PrebrushError
from prebrush.files import make_folder
from prebrush.labelstudio.config import parse_label_config
from prebrush.pictures import Account
from prebrush.planning import build_plan
from prebrush.progress import LongProgress
from prebrush.projects import ProjectState
from prebrush.settings import Settings
from prebrush.storage import ForgivingStorage
from prebrush.warming import warm_kernels

DEFAULT_CONFIG = (
    '<View><Image name="image" value="$image" zoom="true"/>'
    '<BrushLabels name="label" toName="image"><Label value="Object"/></BrushLabels></View>'
)
"""For a folder, where nobody gave a labeling config."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that ended, and where its report is."""

    summary: Summary
    report: Path


class Session:
    """One run of the command: its stop, its progress, its report.

    Parameters
    ----------
    folder : Path
        Where report and journal go.
    stop : Event
    show : bool
        Whether progress is shown.
    """

    def __init__(self, folder: Path, stop: threading.Event, *, show: bool) -> None:
        self._folder = folder
        self._stop = stop
        self._show = show
        self._started = time.monotonic()
        # now, and not after hours of work
        make_folder(folder)

    def label_project(self, run: ProjectRun) -> Finished:
        """Predict what is missing of a project, and upload it."""
        span = run.project.span()
        wanted = run.project.count(run.version, only_missing=run.only_missing)
        previews = Previews(run.preview)
        warm_kernels(on_terminal=True)
        what = f"project {run.project.number}"
        with (
            hold_project(run.project.key, what),
            (self._folder / "lock").open("wb") as lock,
            LongProgress(what, wanted, shown=self._show) as progress,
        ):
            hold(lock, f"{what} from this folder")
            journal = FileJournal(self._folder / "uploading.json")
            outcome = run_here(
                run,
                span.chunks(),
                journal,
                previews,
                self._stop,
                lambda labelled: progress.step(failed=labelled.entry is None),
            )
        title = f"Project {run.project.number}: {run.project.title}"
        return self._finish(title, run.version, outcome, span.total - wanted, previews)

    def write_project(self, run: ProjectRun, target: Path) -> Finished:
        """Predict a project into a file."""
        span = run.project.span()
        total = run.project.count("", only_missing=run.only_missing)
        tasks = chain.from_iterable(
            run.project.tasks(chunk, "", only_missing=run.only_missing) for chunk in span.chunks()
        )
        previews = Previews(run.preview)
        with TasksFile(target, f"project {run.project.key}, {run.version}") as file:
            labeller = Labeller(run.predict, run.predictor.threads, self._stop)
            outcome, skipped = self._write(file, labeller, previews, tasks, total, f"project {run.project.number}")
        title = f"Project {run.project.number}: {run.project.title}"
        return self._finish(title, run.version, outcome, skipped + span.total - total, previews)

    def write_folder(self, settings: Settings, folder: Path, label_config: str, address: str, target: Path) -> Finished:
        """Predict a folder of images into a file."""
        config = parse_label_config(label_config)
        plan = build_plan(config, settings, "", {})
        plan.require_controls()
        scratch = ForgivingStorage(Scratch(None))
        predictor = BatchPredictor(settings, scratch, FilePictures(settings, scratch, folder))
        account = Account(ProjectState())
        tasks = build_tasks(folder, config, address)
        total = sum(1 for _ in find_images(folder))
        if not total:
            endings = ", ".join(sorted(ENDINGS))
            raise PrebrushError(f"no image in {folder}: no file there or below ends in {endings}")
        previews = Previews(lambda task: predictor.preview(plan, account, task))
        with TasksFile(target, f"{folder.resolve()}, {address}, {plan.model_version}") as file:
            labeller = Labeller(lambda task: predictor.predict(plan, account, task), predictor.threads, self._stop)
            outcome, skipped = self._write(file, labeller, previews, tasks, total, name_of(folder))
        return self._finish(f"Folder {name_of(folder)}", plan.model_version, outcome, skipped, previews)

    def _write(
        self, file: TasksFile, labeller: Labeller, previews: Previews, tasks: Iterator[Task], total: int, what: str
    ) -> tuple[Outcome, int]:
        """Write what is missing of a file; return what became of it, and how many were in it before."""
        outcome, before = Outcome(), len(file.done)
        warm_kernels(on_terminal=True)
        missing = (task for task in tasks if task.id not in file.done)
        try:
            with LongProgress(what, max(0, total - before), shown=self._show) as progress:
                while not self._stop.is_set() and (some := list(islice(missing, CHUNK_TASKS))):
                    for labelled in labeller.label(some):
                        progress.step(failed=labelled.entry is None)
                        _note(labelled, file, outcome, previews)
        finally:
            labeller.close()
        if not self._stop.is_set():
            file.finish(keep_part=outcome.failed > 0)
        return outcome, before

    def _finish(self, title: str, version: str, outcome: Outcome, skipped: int, previews: Previews) -> Finished:
        seconds = time.monotonic() - self._started
        summary = Summary(title, version, outcome, max(0, skipped), seconds, finished=not self._stop.is_set())
        page = self._folder / PAGE
        # a run that finds nothing to do keeps the pictures of the one before
        if outcome.done or outcome.failed or not page.exists():
            page = write_report(summary, previews.chosen, self._folder)
        return Finished(summary, page)


def _note(labelled: Labelled, file: TasksFile, outcome: Outcome, previews: Previews) -> None:
    if labelled.entry is None:
        outcome.fail(labelled.task.id, labelled.reason)
        return
    file.add(labelled.task, labelled.entry)
    outcome.done += 1
    previews.offer(labelled.task)
