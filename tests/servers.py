"""A real prebrush process on a free port, and a web server over a folder, for tests that need one."""

import os
import re
import signal
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import urllib3


class Server:
    """``prebrush serve`` in a process of its own; leaves the context stopped."""

    def __init__(self, folder: Path, **environ: str) -> None:
        environ = {"PREBRUSH_STORAGE_URL": f"sqlite:///{folder}/data", **environ}
        self.lines: list[str] = []
        self.url = ""
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "prebrush", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env={**os.environ, **environ},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            found = re.search(r"Backend URL:\s+(http://\S+)", line)
            if found:
                self.url = found[1]
                self._ready.set()
        self._ready.set()

    def __enter__(self) -> "Server":
        if not (self._ready.wait(60) and self.url):
            self.stop()
            raise AssertionError("the server did not start:\n" + self.log)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def ask(self, method: str, path: str, **more) -> urllib3.BaseHTTPResponse:
        return urllib3.request(method, self.url + path, timeout=60, retries=False, **more)

    def stop(self, how: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(60)
        self._reader.join(10)
        self.process.stdout.close()
        # shown where a test fails, and searched for secrets in any case
        sys.stdout.write(self.log)
        return status


class _Handler(SimpleHTTPRequestHandler):
    """Serves files and counts what was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


class FileServer:
    """A web server on loopback over one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        handler = type("Handler", (_Handler,), {"asked": self.asked})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
