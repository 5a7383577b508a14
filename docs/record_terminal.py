"""Records each command on a terminal, as it runs, into an SVG: ``make recordings``.

Also keeps what two of them draw: the sheet of `compare` and a photo's overlay.
"""

import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from demo.prebrush_server import run_prebrush
from demo.processes import Server, find_free_port, run_server, wait_for
from demo.studio import run_studio

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
RECORDINGS = IMAGES / "terminal"
WIDTH = 112
PORT = "9090"
COMMANDS = {
    "methods": "methods",
    "segment": "segment photo.jpg --method felzenszwalb -p scale=300",
    "compare": "compare photo.jpg --methods felzenszwalb,kmeans,multi_otsu,region_merging,threshold",
    "evaluate": "evaluate nuclei --methods auto,threshold,watershed",
    "warm-up": "warm-up",
}
"""What is recorded of each command that needs nothing else to run."""
WITH_SERVER = {"health": "health"}
"""Of those that ask a server, which is the recording of `serve`."""
WITH_STUDIO = {"check": "check", "prelabel": "prelabel --project 1"}
"""Of those that ask a Label Studio with a project that is connected."""
WITH_REDIS = {"worker": "worker --burst"}
"""Of those that also ask a Redis, with a run in its queue."""
PRIVATE_IMAGE = "http://10.1.2.3/scans/1.png"
"""What the second project's task asks for, so that `check` has something to say."""
LABEL_CONFIG = (
    '<View><Image name="image" value="$image"/>'
    '<BrushLabels name="mask" toName="image"><Label value="Thing"/></BrushLabels></View>'
)
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""The library's own form asks another host for a font."""


def main() -> None:
    """Record every command."""
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        lay_out(place)
        for name, arguments in COMMANDS.items():
            record(place, name, arguments, {})
        keep_picture(place / "comparison.png", IMAGES / "comparison.jpg")
        keep_picture(place / "out" / "photo.overlay.png", IMAGES / "overlay.jpg")
        record_with_server(place)
        record_with_studio(place)


def record_with_server(place: Path) -> None:
    """Record `serve`, and what asks it."""
    with run_server(
        program("serve"),
        url=f"http://127.0.0.1:{PORT}",
        environment={},
        folder=place,
        log=place / "log",
        start_limit_s=180,
    ) as server:
        for name, arguments in WITH_SERVER.items():
            record(place, name, arguments, {})
        save("serve", "serve", said_at_start(server))


def record_with_studio(place: Path) -> None:
    """Record what asks a real Label Studio."""
    home = Path(os.environ.get("PREBRUSH_TEST_STUDIO", ROOT / ".venv-studio"))
    for name in ("studio", "prebrush"):
        (place / name).mkdir()
    with run_studio(home, place / "studio", place / "studio.log", port=8080) as studio:
        variables = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.create_access_token()}
        with run_prebrush(place / "prebrush", place / "prebrush.log", variables, port=int(PORT)) as prebrush:
            project = studio.create_project("Photos", LABEL_CONFIG)
            for path in (place / "photo.jpg", *sorted((place / "nuclei").glob("*[!k].png"))):
                studio.upload(project, path.name, path.read_bytes())
            studio.connect(project, prebrush.url)
            scans = studio.create_project("Scans", LABEL_CONFIG)
            studio.call("POST", f"/api/projects/{scans}/import", [{"image": PRIVATE_IMAGE}])
            studio.connect(scans, prebrush.url)
            for name, arguments in WITH_STUDIO.items():
                record(place, name, arguments, variables)
            record_with_redis(place, project, {**variables, "PREBRUSH_DEFAULT_METHOD": "kmeans"})


def record_with_redis(place: Path, project: int, variables: Mapping[str, str]) -> None:
    """Record what works through a queue; another method than before makes all tasks be predicted anew."""
    port = find_free_port()
    address = f"redis://127.0.0.1:{port}/0"
    variables = {**variables, "PREBRUSH_STORAGE_URL": address}
    redis = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""], cwd=place)
    try:
        wait_for(lambda: subprocess.run(["redis-cli", "-p", str(port), "ping"], check=False).returncode == 0, "Redis")
        run = program(f"prelabel --project {project} --queue")
        watching = subprocess.Popen(run, cwd=place, env={**os.environ, **variables})
        waits = program(f"prelabel --project {project} --status --json")
        wait_for(
            lambda: (
                b'"queued"'
                in subprocess.run(
                    waits, cwd=place, env={**os.environ, **variables}, capture_output=True, check=True
                ).stdout
            ),
            "a run in the queue",
        )
        for name, arguments in WITH_REDIS.items():
            record(place, name, arguments, variables)
        watching.wait()
    finally:
        redis.terminate()
        redis.wait()


def lay_out(place: Path) -> None:
    """Put a photo and a folder of images with masks where the commands run."""
    shutil.copy(IMAGES / "coffee.jpg", place / "photo.jpg")
    (place / "nuclei").mkdir()
    for path in (ROOT / "tests" / "images").glob("*.png"):
        shutil.copy(path, place / "nuclei" / path.name.replace("_gt", "_mask"))


def program(arguments: str) -> list[str]:
    """Return the words that run a command."""
    return [sys.executable, "-m", "prebrush", *arguments.split()]


def said_at_start(server: Server) -> str:
    """Return what the server printed, without its log of requests."""
    # /health answers a moment before it is said
    wait_for(lambda: "Playground" in server.log_tail(), "the word of being ready")
    return "\n".join(line for line in server.log_lines() if "GET /health" not in line)


def record(place: Path, name: str, arguments: str, variables: Mapping[str, str]) -> None:
    """Run a command on a terminal and save what it shows."""
    save(name, arguments, run_on_terminal(program(arguments), place, variables))


def run_on_terminal(command: Sequence[str], place: Path, variables: Mapping[str, str]) -> str:
    """Run a command that believes in a terminal, and return its text with colours; passing progress is left out."""
    ours, theirs = pty.openpty()
    look = {"COLUMNS": str(WIDTH), "LINES": "60", "TERM": "xterm-256color"}
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PREBRUSH_", "LABEL_STUDIO"))}
    with (place / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=place, env={**plain, **look, **variables}, stdin=theirs, stdout=theirs, stderr=errors
        )
    os.close(theirs)
    read = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how a terminal ends on Linux
            break
        if not piece:
            break
        read += piece
    os.close(ours)
    shown = read.decode().replace("\r\n", "\n") + (place / "stderr").read_text()
    # `check` fails where it is to show a failure
    assert process.wait() == ("check" in command), f"{command} failed: {shown}"
    return shown


def save(name: str, arguments: str, text: str) -> None:
    """Draw the text as a terminal."""
    console = Console(record=True, width=WIDTH, file=Path(os.devnull).open("w"))  # noqa: SIM115  it ends with this
    console.print(Text(f"$ prebrush {arguments}", style="bold"))
    # an empty line below, else the last one is cut
    console.print(Text.from_ansi(text.rstrip("\n")), "", sep="\n")
    drawing = console.export_svg(title="", theme=DIMMED_MONOKAI, code_format=SVG, unique_id=f"terminal-{name}")
    lines = [line.rstrip() for line in drawing.splitlines() if line.strip()]
    (RECORDINGS / f"{name}.svg").write_text("\n".join(lines) + "\n")


def keep_picture(source: Path, target: Path) -> None:
    """Keep a picture that a command drew, at a size for a page."""
    picture = cv2.imread(str(source))
    assert picture is not None, f"no picture at {source}"
    width = min(picture.shape[1], 1200)
    size = (width, round(picture.shape[0] * width / picture.shape[1]))
    cv2.imwrite(str(target), cv2.resize(picture, size, interpolation=cv2.INTER_AREA), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
