"""A real Label Studio: its process, and over its HTTP API the steps that a person would click through."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, Request, build_opener

from urllib3.filepost import encode_multipart_formdata

from demo.processes import Server, find_free_port, run_server

USERNAME = "annotator@example.com"
PASSWORD = "correct-horse-battery"
LEGACY_TOKEN = "e2e0" * 10
"""Label Studio's legacy tokens are 40 characters; this one is given to the first user at the start."""

SETTINGS = {
    # without these two a backend on a loopback address is refused, and its webhook too
    "ML_BLOCK_LOCAL_IP": "false",
    "SSRF_PROTECTION_ENABLED": "false",
    # nothing may leave the machine: usage figures, error reports, the look for a newer version
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LATEST_VERSION_CHECK": "false",
}
_START_LIMIT_S = 180.0
"""The first start creates the database, about 25 s on two idle cores."""


class StudioRefusedError(Exception):
    """Label Studio answered a call with an error status."""


@contextmanager
def run_studio(home: Path, folder: Path, log: Path, port: int = 0) -> Iterator["Studio"]:
    """Run Label Studio with an empty database in ``folder``, with one user who is logged in.

    Parameters
    ----------
    home : Path
        The virtual environment that holds Label Studio.
    folder : Path
        Where the database and the uploads go.
    log : Path
        Where its output goes.
    port : int
        Where it listens, if that is free; 0 is any.
    """
    program = home / "bin" / "label-studio"
    if not program.exists():
        raise FileNotFoundError(f"no Label Studio at {program}; `make demo` and `make e2e` install it there")
    port = find_free_port(port)
    command = [str(program), "start", "--no-browser"]
    command += ["--internal-host", "127.0.0.1", "--port", str(port)]
    command += ["--username", USERNAME, "--password", PASSWORD, "--user-token", LEGACY_TOKEN]
    settings = {**SETTINGS, "LABEL_STUDIO_BASE_DATA_DIR": str(folder)}
    url = f"http://127.0.0.1:{port}"
    with run_server(
        command, url=url, environment=settings, folder=folder, log=log, start_limit_s=_START_LIMIT_S
    ) as server:
        studio = Studio(server)
        studio.log_in()
        yield studio


@dataclass
class Studio:
    """A running Label Studio, spoken to with the session cookie that its login form gives."""

    server: Server
    cookies: CookieJar = field(default_factory=CookieJar)

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return self.server.url

    @property
    def _opener(self) -> OpenerDirector:
        return build_opener(ProxyHandler({}), HTTPCookieProcessor(self.cookies))

    def log_in(self) -> None:
        """Fill in the login form as the first user."""
        page = self._opener.open(f"{self.url}/user/login/", timeout=60).read().decode()
        secret = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert secret, f"no login form at {self.url}/user/login/"
        form = {"email": USERNAME, "password": PASSWORD, "csrfmiddlewaretoken": secret[1], "persist_session": "on"}
        self._opener.open(f"{self.url}/user/login/", urlencode(form).encode(), timeout=60).read()
        assert self._cookie("sessionid"), "Label Studio did not take the login"

    def _cookie(self, name: str) -> str:
        return next((cookie.value or "" for cookie in self.cookies if cookie.name == name), "")

    def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """Send JSON to a route of the API and return the JSON it answers with."""
        data = None if body is None else json.dumps(body).encode()
        return self._send(method, path, data, "application/json", query)

    def _send(self, method: str, path: str, data: bytes | None, kind: str, query: Mapping[str, object]) -> Any:
        address = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Content-Type": kind, "X-CSRFToken": self._cookie("csrftoken"), "Referer": self.url}
        try:
            with self._opener.open(Request(address, data, headers, method=method), timeout=150) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            detail = error.read().decode(errors="replace")[:2000]
            raise StudioRefusedError(f"{method} {path} was answered {error.code}: {detail}") from error

    def allow_legacy_tokens(self) -> None:
        """Set what a person sets at Organization > API Tokens Settings; personal access tokens stay allowed."""
        self.call("POST", "/api/jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True})

    def answers_token(self, token: str, path: str) -> bool:
        """Tell whether a file is given to who shows this legacy token and has no session."""
        request = Request(f"{self.url}{path}", headers={"Authorization": f"Token {token}"})
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
                return bool(answer.status == 200)
        except HTTPError as error:
            error.close()
            if error.code == 401:
                return False
            raise

    def create_access_token(self) -> str:
        """Make a personal access token, as at Account & Settings; a user has one at a time."""
        token: str = self.call("POST", "/api/token/", {})["token"]
        return token

    def create_project(self, title: str, label_config: str) -> int:
        """Make a project and return its id."""
        project: int = self.call("POST", "/api/projects/", {"title": title, "label_config": label_config})["id"]
        return project

    def upload(self, project: int, name: str, content: bytes) -> int:
        """Import one image file as a task and return the task's id."""
        body, kind = encode_multipart_formdata({"FILE": (name, content)})
        query = {"return_task_ids": "true"}
        answer = self._send("POST", f"/api/projects/{project}/import", body, kind, query)
        (task,) = answer["task_ids"]
        return int(task)

    def connect(self, project: int, backend_url: str) -> int:
        """Connect an ML backend that also answers smart tools, and return the connection's id."""
        model = {"project": project, "title": "prebrush", "url": backend_url, "is_interactive": True}
        connection: int = self.call("POST", "/api/ml/", model)["id"]
        return connection

    def retrieve_predictions(self, project: int) -> None:
        """Do the data manager's action "Retrieve Predictions" on every task of the project."""
        everything = {"selectedItems": {"all": True, "excluded": []}}
        self.call("POST", "/api/dm/actions/", everything, id="retrieve_tasks_predictions", project=project)

    def predictions(self, project: int) -> list[dict[str, Any]]:
        """Return every stored prediction of the project."""
        found: list[dict[str, Any]] = self.call("GET", "/api/predictions/", task__project=project)
        return found

    def annotations(self, task: int) -> list[dict[str, Any]]:
        """Return what was submitted for a task."""
        found: list[dict[str, Any]] = self.call("GET", f"/api/tasks/{task}/annotations/")
        return found
