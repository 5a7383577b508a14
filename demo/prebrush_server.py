"""prebrush as a process of its own: just what ``prebrush serve`` runs."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from demo.processes import Server, find_free_port, run_server, wait_for

_START_LIMIT_S = 180.0
"""A start with an empty kernel cache compiles first."""


@contextmanager
def run_prebrush(folder: Path, log: Path, settings: Mapping[str, str], port: int = 0) -> Iterator[Server]:
    """Run prebrush with its storage in ``folder``.

    Parameters
    ----------
    folder : Path
        Working folder and place of the SQLite file; a configuration file in it would be read.
    log : Path
        Where its output goes.
    settings : mapping of str to str
        Environment variables, as ``LABEL_STUDIO_URL``.
    port : int
        Where it listens, if that is free; 0 is any.
    """
    port = find_free_port(port)
    command = [sys.executable, "-m", "prebrush", "serve", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"PREBRUSH_STORAGE_URL": f"sqlite:///{folder}/prebrush.db", **settings}
    url = f"http://127.0.0.1:{port}"
    with run_server(
        command, url=url, environment=environment, log=log, start_limit_s=_START_LIMIT_S, folder=folder
    ) as server:
        wait_for(server.is_ready, f"{url}/ready; its log is {log}", _START_LIMIT_S)
        yield server
