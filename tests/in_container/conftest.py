"""The built image, started as an engine starts it, on a machine without one: `make image` builds it and sets the name.

The image's own user, variables and command; a read-only root; /tmp and /data alone are writable; processes of its own.
"""

import contextlib
import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import urllib3

from redis_servers import free_port, wait_until

IMAGE = os.environ.get("PREBRUSH_TEST_IMAGE", "")
# without an image there is nothing to test: `make test` passes by
collect_ignore_glob = [] if IMAGE else ["test_*"]

PREPARE = """
set -eu
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount --bind "$DATA" "$ROOT/data"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/dev"
mkdir "$ROOT/dev/shm"
for device in null zero urandom; do touch "$ROOT/dev/$device"; mount --bind "/dev/$device" "$ROOT/dev/$device"; done
[ -z "$WRITABLE_TMP" ] || mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
mount -t proc proc "$ROOT/proc"
mount -o remount,bind,ro "$ROOT"
"""


def buildah(*command: str) -> str:
    return subprocess.run(["buildah", *command], capture_output=True, text=True, check=True).stdout.strip()


class Image:
    """What the image says of itself, and its files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = json.loads(buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]

    @property
    def environ(self) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self.config["Env"])

    def start(self, folder: Path, *command: str, writable_tmp: bool = True, **environ: str) -> "Container":
        return Container(self, folder, command or self.config["Cmd"], writable_tmp, environ)


class Container:
    """A command running in the image."""

    def __init__(
        self, image: Image, folder: Path, command: Sequence[str], writable_tmp: bool, environ: dict[str, str]
    ) -> None:
        self.port = free_port()
        self.data = folder / "data"
        self.data.mkdir(exist_ok=True)
        self.user, self.group = map(int, image.config["User"].split(":"))
        os.chown(self.data, self.user, self.group)
        given = {"PREBRUSH_SERVER_HOST": "127.0.0.1", "PREBRUSH_SERVER_PORT": str(self.port), **environ}
        self._env = ["env", "-i", f"--chdir={image.config['WorkingDir']}"]
        self._env += [f"{name}={value}" for name, value in {**image.environ, **given}.items()]
        enter = ["setpriv", "--no-new-privs", "chroot", f"--userspec={self.user}:{self.group}", "--groups="]
        inside = shlex.join([*enter, str(image.root), *self._env, *command])
        self._log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", f"{PREPARE}\nexec {inside}"],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "ROOT": str(image.root), "DATA": str(self.data), "WRITABLE_TMP": "1" * writable_tmp},
        )

    @property
    def first(self) -> int:
        """The command's process, which is number 1 inside."""
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text())

    @property
    def log(self) -> str:
        return Path(self._log.name).read_text()

    def ask(self, method: str, path: str, **more) -> urllib3.BaseHTTPResponse:
        return urllib3.request(method, f"http://127.0.0.1:{self.port}{path}", timeout=60, retries=False, **more)

    def wait_until_up(self) -> None:
        def up() -> bool:
            assert self.process.poll() is None, self.log
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                return self.ask("GET", "/health").status == 200
            return False

        wait_until(up, patience_s=60)

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as `docker exec` does."""
        enter = ["setpriv", "--no-new-privs", "nsenter", f"--target={self.first}", "--mount", "--pid", "--root"]
        enter += [f"--setuid={self.user}", f"--setgid={self.group}", *self._env]
        enter += [f"{name}={value}" for name, value in environ.items()]
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=300)

    def files(self, pattern: str) -> list[Path]:
        """List files as the container sees them."""
        return sorted(Path(f"/proc/{self.first}/root").glob(pattern))

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        self._log.close()


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    container = buildah("from", IMAGE)
    try:
        yield Image(Path(buildah("mount", container)))
    finally:
        buildah("rm", container)


@pytest.fixture
def start(image, tmp_path) -> Iterator:
    started: list[Container] = []

    def start(*command: str, **more) -> Container:
        started.append(image.start(tmp_path, *command, **more))
        return started[-1]

    yield start
    for container in started:
        container.stop()


@pytest.fixture(scope="module")
def server(image, tmp_path_factory) -> Iterator[Container]:
    container = image.start(tmp_path_factory.mktemp("server"))
    try:
        container.wait_until_up()
        yield container
    finally:
        container.stop()
