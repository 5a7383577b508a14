"""Serves prebrush through the ``label-studio-ml`` tool: ``label-studio-ml start backend``, or ``gunicorn _wsgi:app``.

Settings are those of ``prebrush serve``: config.yaml in the working folder, and variables.
"""

import argparse
import atexit
import logging
import os
import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prebrush.cli import ONE_THREAD

# before anything imports NumPy, which reads them once
for _name in ONE_THREAD:
    os.environ.setdefault(_name, "1")

from label_studio_ml import api
from label_studio_ml import model as tool

from model import SegmentationModel, is_second_line, shared_predictor
from prebrush.errors import ConfigError, RequestError
from prebrush.planning import check_choices
from prebrush.process import bound_allocator, configure_logging
from prebrush.settings import Settings, server_url
from prebrush.warming import warm_kernels


def build_app() -> Any:
    """Build the tool's app for whichever line of the tool is installed.

    Raises
    ------
    ConfigError
        A setting does not fit, or asks for what the tool cannot do.
    """
    settings = shared_predictor().settings
    try:
        check_choices(settings)
    except RequestError as error:
        raise ConfigError(str(error)) from error
    configure_logging(settings)
    # below this level the tool logs whole requests, tokens and passwords in them
    logging.getLogger("label_studio_ml").setLevel(logging.INFO)
    atexit.register(shared_predictor().close)
    bound_allocator()
    warm_kernels()
    app = init_second_line(settings) if is_second_line() else init_first_line(settings)
    app.config["MAX_CONTENT_LENGTH"] = settings.server.max_body_bytes
    return app


def init_second_line(settings: Settings) -> Any:
    """Hand the model to the 2.x line, which makes one for each request and asks for credentials by itself."""
    server = settings.server
    return api.init_app(
        SegmentationModel, basic_auth_user=server.basic_auth_user, basic_auth_pass=server.basic_auth_pass
    )


def init_first_line(settings: Settings) -> Any:
    """Hand the model to 1.0.9, with a manager that knows projects apart.

    The tool's own keeps one model, of the project that was set up last, and answers "INITIAL" for its version. To it
    every annotation is a training job: a process, a folder, and a new version, for which all predictions are fetched
    anew.

    Raises
    ------
    ConfigError
        A password is to be asked for.
    """
    if settings.server.basic_auth_user or settings.server.bearer_token:
        raise ConfigError(
            "label-studio-ml 1.0.9 cannot ask for a password: unset BASIC_AUTH_USER, BASIC_AUTH_PASS and "
            "PREBRUSH_SERVER_BEARER_TOKEN, or use `prebrush serve`"
        )

    class Projects(tool.LabelStudioMLManager):  # type: ignore[misc]  # the tool is not typed
        @classmethod
        def fetch(cls, project: str = "", label_config: str = "", *_: object, **told: object) -> Any:
            # of all that /setup tells, the tool passes on everything but this
            extra_params = (api.request.get_json(silent=True) or {}).get("extra_params")
            told = {name: told.get(name) for name in ("hostname", "access_token")}
            model = SegmentationModel(project, label_config)
            return tool.ModelWrapper(model, model.remember(extra_params=extra_params, **told))

        @classmethod
        def predict(cls, tasks: list[Any], project: str = "", label_config: str = "", *_: object, **params: Any) -> Any:
            model = SegmentationModel(project, label_config)
            results, model_version = model.answer(tasks, **params)
            return results, tool.ModelWrapper(model, model_version)

        @classmethod
        def webhook(cls, *_: object) -> dict[str, str]:
            return {"status": "ok"}

        @classmethod
        def train(cls, *_: object, **__: object) -> None:
            return None

        @classmethod
        def _get_models_from_workdir(cls, project: str) -> list[str]:
            return shared_predictor().versions(str(project))

    # the one place where 1.0.9 keeps its manager
    api._manager = Projects()
    return api.init_app(SegmentationModel)


def parse_arguments(settings: Settings) -> argparse.Namespace:
    """Read what follows ``label-studio-ml start backend``."""
    parser = argparse.ArgumentParser(prog="label-studio-ml start backend", description="prebrush")
    parser.add_argument("-p", "--port", type=int, default=settings.server.port)
    parser.add_argument("--host", default=settings.server.host)
    parser.add_argument("--log-level", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    parser.add_argument("--check", action="store_true", help="only make sure that it would start")
    return parser.parse_args()


def main() -> None:
    """Serve until told to stop."""
    arguments = parse_arguments(shared_predictor().settings)
    app = build_app()
    if arguments.log_level:
        logging.root.setLevel(arguments.log_level)
    url = server_url(arguments.host, arguments.port)
    sys.stdout.write(
        f"prebrush is ready, served by label-studio-ml {tool_version()}.\n"
        f"  Label Studio > project > Settings > Model > Connect Model, Backend URL:  {url}\n"
    )
    sys.stdout.flush()
    if not arguments.check:
        # the tool's server ends at once when it is told to; this way it ends in order
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        app.run(host=arguments.host, port=arguments.port, threaded=True)


def tool_version() -> str:
    """Return the version of the installed tool."""
    try:
        return version("label-studio-ml")
    except PackageNotFoundError:
        return "of unknown version"


if __name__ == "__main__":
    try:
        main()
    except ConfigError as error:
        sys.stderr.write(f"prebrush: {error}\n")
        sys.exit(2)
else:
    app = build_app()
