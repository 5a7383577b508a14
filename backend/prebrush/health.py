"""Asking a server whether it is up. Imports nothing heavy: a container does this every few seconds."""

import json

import urllib3

from prebrush.errors import PrebrushError
from prebrush.settings import Settings, server_url


def ask_health(settings: Settings) -> str:
    """Ask the server at the configured address for its health; return the version of prebrush that it runs.

    Raises
    ------
    PrebrushError
        It does not answer, or is not prebrush.
    """
    server = settings.server
    url = f"{server_url(server.host, server.port)}/health"
    try:
        answer = urllib3.request("GET", url, timeout=2, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise PrebrushError(f"no answer from {url}") from error
    if answer.status != 200:
        raise PrebrushError(f"{url} answers {answer.status}")
    try:
        facts = json.loads(answer.data)
        known, version = facts["model_class"] == "prebrush", str(facts["version"])
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise PrebrushError(f"what answers at {url} is not prebrush")
    return version
