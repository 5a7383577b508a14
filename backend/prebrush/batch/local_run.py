"""A run on this machine alone: two chunks at a time, so that one is predicted while the other is uploaded."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from prebrush.batch.chunks import Chunk
from prebrush.batch.journal import Journal
from prebrush.batch.labelling import Labelled, Labeller
from prebrush.batch.run import Outcome, Previews, ProjectRun
from prebrush.batch.uploading import Uploader

LANES = 2


def run_here(
    run: ProjectRun,
    chunks: Iterator[Chunk],
    journal: Journal,
    previews: Previews,
    stop: threading.Event,
    on_task: Callable[[Labelled], None],
) -> Outcome:
    """Work through the chunks; stop early where `stop` is set.

    Threads, not processes: segmentation is compiled and holds no interpreter lock, and threads share one predictor.

    Parameters
    ----------
    on_task : callable (Labelled)
        Called from several threads, for each task that was predicted or failed.

    Raises
    ------
    StudioError
        Label Studio does not answer any more; what was uploaded stays.
    """
    uploader = Uploader(run.project, run.version, journal)
    uploader.settle_all()
    labeller = Labeller(run.predict, run.predictor.threads, stop)
    taking = threading.Lock()
    total = Outcome()

    def see(labelled: Labelled) -> None:
        if labelled.entry is not None:
            previews.offer(labelled.task)
        on_task(labelled)

    def serve() -> None:
        while not stop.is_set():
            with taking:
                chunk = next(chunks, None)
            if chunk is None:
                return
            try:
                outcome = run.work(chunk, labeller, uploader, see)
            except BaseException:
                # the other lane has the same Label Studio before it
                stop.set()
                raise
            with taking:
                total.add(outcome)

    try:
        with ThreadPoolExecutor(LANES, thread_name_prefix="prebrush-lane") as lanes:
            for lane in [lanes.submit(serve) for _ in range(LANES)]:
                lane.result()
    finally:
        labeller.close()
    uploader.remove_doubles()
    return total
