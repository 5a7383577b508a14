"""Running the app under gunicorn: one process, many threads; the kernels release the interpreter lock."""

import logging
import sys
from typing import Any

from prebrush.errors import ConfigError
from prebrush.predictor import build_predictor, warm_kernels
from prebrush.settings import Settings
from prebrush.web.app import create_app

logger = logging.getLogger(__name__)

STOP_WITHIN_S = 30
"""Time that requests under way get when the server is told to stop."""


def run_server(settings: Settings) -> None:
    """Serve until told to stop.

    Raises
    ------
    ConfigError
        The machine has no gunicorn, or the address is not to be had.
    """
    if sys.platform == "win32":
        raise ConfigError("the server needs gunicorn, which Windows does not have; use WSL or the container")
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415  it cannot be imported on Windows

    configure_logging(settings)

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
        def load_config(self) -> None:
            for name, value in gunicorn_options(settings).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            # here and not earlier: gunicorn forks the worker first, and threads do not survive that
            warm_kernels()
            predictor = build_predictor(settings)
            self.cfg.set("worker_exit", lambda _server, _worker: predictor.close())
            return create_app(settings, predictor)

    Server().run()


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's options for these settings."""
    server = settings.server
    return {
        "bind": f"{server.host}:{server.port}" if ":" not in server.host else f"[{server.host}]:{server.port}",
        # one process: segments, connections and warm kernels are shared by all threads
        "workers": 1,
        "worker_class": "gthread",
        "threads": server.threads,
        # a thread may work on one batch for as long as Label Studio waits; the worker's own heartbeat goes on meanwhile
        "timeout": 120,
        "graceful_timeout": STOP_WITHIN_S,
        "keepalive": 75,
        "loglevel": "warning",
        "proc_name": "prebrush",
        "post_worker_init": announce,
    }


def announce(worker: Any) -> None:
    """Print, once the server answers, what to paste where."""
    host, port = worker.sockets[0].getsockname()[:2]
    # the address to listen on is no address to call
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
    sys.stdout.write(
        f"prebrush is ready.\n"
        f"  Label Studio > project > Settings > Model > Connect Model, Backend URL:  http://{shown}:{port}\n"
        f"  Playground, to try methods on a photo:                                   http://{shown}:{port}/playground\n"
    )
    sys.stdout.flush()


def configure_logging(settings: Settings) -> None:
    """Write log lines to stderr, one form for all."""
    logging.basicConfig(
        level=settings.server.log_level.upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    # the clients below us log addresses, which may carry signatures
    logging.getLogger("urllib3").setLevel(logging.WARNING)
