"""Running the app under gunicorn: one process, many threads; the kernels release the interpreter lock."""

import logging
import math
import os
import socket
import sys
import threading
from importlib.metadata import version
from typing import Any

from prebrush.errors import ConfigError, RequestError
from prebrush.pictures import build_studio_client
from prebrush.planning import check_choices
from prebrush.predictor import build_predictor
from prebrush.process import bound_allocator, configure_logging, end_with_parent
from prebrush.settings import Settings, server_url
from prebrush.storage import open_storage
from prebrush.warming import warm_kernels
from prebrush.web.app import create_app
from prebrush.web.auth import warn_if_open
from prebrush.web.readiness import Readiness

logger = logging.getLogger(__name__)

MOST_CONNECTIONS = 1000
OTHER_FILES = 200
"""Open at most beside the connections: the storage's, those to Label Studio and other hosts, the libraries'."""
HAND_BACK_FRACTION = 2 / 3
"""Of the time to stop in; then requests are answered with what is ready, and Label Studio asks again for the rest."""


def run_server(settings: Settings) -> None:
    """Serve until told to stop.

    Raises
    ------
    ConfigError
        The machine has no gunicorn, Flask is the old one of label-studio-ml, or the address is not to be had.
    """
    check_flask(version("flask"))
    if sys.platform == "win32":
        raise ConfigError("the server needs gunicorn, which Windows does not have; use WSL or the container")
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415  it cannot be imported on Windows

    configure_logging(settings)
    check_settings(settings)
    warn_if_open(settings)

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
        readiness = Readiness()

        def load_config(self) -> None:
            for name, value in gunicorn_options(settings).items():
                self.cfg.set(name, value)
            # newer ones open a socket to be managed by, in one place for all servers of a user; the second complains
            if "control_socket_disable" in self.cfg.settings:
                self.cfg.set("control_socket_disable", True)

        def load(self) -> Any:
            bound_allocator()
            # here and not earlier: gunicorn forks the worker first, and threads do not survive that
            predictor = build_predictor(settings)
            self.predictor = predictor
            self.cfg.set("worker_exit", lambda _server, _worker: predictor.close())
            return create_app(settings, predictor, self.readiness)

        def stop(self) -> None:
            """Take no new work, and answer what is under way in time."""
            self.readiness.is_stopping = True
            self.predictor.errands.hand_back_within(HAND_BACK_FRACTION * settings.server.stop_within_s)

    Server().run()


def check_flask(found: str) -> None:
    """Refuse the Flask that label-studio-ml 1.0.9 brings along: the routes are written for a newer one.

    Raises
    ------
    ConfigError
        It is older than 3.
    """
    if int(found.partition(".")[0]) < 3:
        raise ConfigError(
            f"the server needs Flask 3.0.3, and this environment has the {found} that label-studio-ml pins: start "
            "prebrush through that tool (label-studio-ml start backend), or install it in an environment without it"
        )


def check_settings(settings: Settings) -> None:
    """Refuse to start with settings that could not serve.

    Raises
    ------
    ConfigError
        A setting does not fit, or the address is not to be had.
    """
    try:
        check_choices(settings)
    except RequestError as error:
        raise ConfigError(str(error)) from error
    build_studio_client(settings)
    open_storage(settings.storage.url, max_bytes=settings.storage.max_bytes, ttl_s=settings.storage.ttl_s).close()
    address = (settings.server.host, settings.server.port)
    family = socket.AF_INET6 if ":" in settings.server.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # as gunicorn binds: a port whose last connections are still closing is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(f"cannot listen on {address[0]}, port {address[1]}: {error.strerror}") from error


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's options for these settings."""
    server = settings.server
    return {
        "bind": f"{server.host}:{server.port}" if ":" not in server.host else f"[{server.host}]:{server.port}",
        # one process: segments, connections and warm kernels are shared by all threads
        "workers": 1,
        "worker_class": "prebrush.web.worker.PacedWorker",
        "threads": server.threads,
        "worker_connections": allow_connections(server.threads),
        # a thread may work on one batch for as long as Label Studio waits; the worker's own heartbeat goes on meanwhile
        "timeout": 120,
        "graceful_timeout": math.ceil(server.stop_within_s),
        "keepalive": 75,
        "loglevel": "warning",
        "proc_name": "prebrush",
        # gunicorn's own look for its master comes late: meanwhile the port is taken, and nobody watches over the worker
        "post_fork": lambda _server, _worker: end_with_parent(),
        "post_worker_init": warm_up,
        # its lines go the way of all others
        "logconfig_dict": {
            "root": None,
            "loggers": {"gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True}},
        },
    }


def allow_connections(threads: int) -> int:
    """Tell how many connections there may be, and have the system allow as many open files as that takes.

    Where it does not, there are fewer: who comes beyond them waits, until idle ones were closed.
    """
    import resource  # noqa: PLC0415  Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    room = MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else soft - OTHER_FILES
    return max(2 * threads, min(MOST_CONNECTIONS, room))


def warm_up(worker: Any) -> None:
    """Load the kernels while `/health` answers already, then say that the server is ready."""

    def load() -> None:
        try:
            warm_kernels()
        except Exception:
            logger.exception("the kernels cannot be loaded")
            # gunicorn's number for a worker that could not start, which ends the server
            os._exit(3)
        worker.app.readiness.is_warm = True
        announce(worker)

    threading.Thread(target=load, name="prebrush-warm-up", daemon=True).start()


def announce(worker: Any) -> None:
    """Print, once the server answers, what to paste where."""
    url = server_url(*worker.sockets[0].getsockname()[:2])
    sys.stdout.write(
        f"prebrush is ready.\n"
        f"  Label Studio > project > Settings > Model > Connect Model, Backend URL:  {url}\n"
        f"  Playground, to try methods on a photo:                                   {url}/playground\n"
    )
    sys.stdout.flush()
