"""Writes the documents' tables, config.yaml and the containers' variables from the code (``make documents``).

test_docs.py fails if they differ.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import typer.main
from flask import Flask

from prebrush.checkup.cures import CURES
from prebrush.commands.app import app as cli
from prebrush.naming import LabelRule
from prebrush.recipes import PromptRule
from prebrush.segmentation import METHODS
from prebrush.segmentation.cleanup import Cleanup
from prebrush.segmentation.method import knobs_of
from prebrush.settings import PREFIX, SECRETS, SECTIONS, STUDIO_NAMES

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
CONFIG = ROOT / "config.yaml"
ENVIRONMENT = ROOT / "docker" / ".env.example"
TABLES = {
    README: ("methods",),
    ROOT / "docs/methods/README.md": ("cleanup",),
    ROOT / "docs/label_rules.md": ("labels",),
    ROOT / "docs/interactive.md": ("prompts",),
    ROOT / "docs/commands.md": ("commands",),
    ROOT / "docs/connect.md": ("cures",),
    ROOT / "docs/operate.md": ("settings",),
    ROOT / "docs/wire.md": ("routes",),
}
"""Which page has which of the parts below, between markers."""

CONFIG_HEAD = """\
# Every setting of prebrush with its default. A variable PREBRUSH_<SECTION>_<NAME> beats this file, a flag beats both.
# Secrets (LABEL_STUDIO_API_KEY, BASIC_AUTH_PASS) are taken from the environment only.
"""
CONFIG_TAIL = """
# The method where nothing nearer speaks (tag attributes, extra parameters, `projects` below).
default: {}
#  method: felzenszwalb
#  params: {scale: 200}
#  regions: {max: 20}
#  labels: {rule: class}
#  prompts: {method: auto}

# The same for single projects, by their number in Label Studio.
projects: {}
#  7:
#    method: kmeans
#    params: {n_clusters: 4}
"""

ENVIRONMENT_HEAD = """\
# Every variable of the containers. Copy to docker/.env and fill in; a line with # shows what holds without it.

# The token prebrush fetches images with. In Label Studio: your picture (top right) > Account & Settings >
# Personal Access Token > Create New Token. A new Label Studio refuses the token that it hands to backends by itself,
# so without this no uploaded image is readable.
LABEL_STUDIO_API_KEY=

# First login of a new Label Studio; empty lets you sign up in the browser.
LABEL_STUDIO_USERNAME=
LABEL_STUDIO_PASSWORD=

# Address of Label Studio as browsers reach it, if not http://localhost:8080.
#LABEL_STUDIO_HOST=

# Memory of Redis; what is over goes out of the cache, oldest use first. What projects told us is never evicted.
#REDIS_MAXMEMORY=2gb

# prebrush servers behind the proxy of docker-compose.replicas.yml.
#REPLICAS=3

# The method where a project says nothing; as JSON its parameters, what follows it and the label rule (examples).
#PREBRUSH_DEFAULT_METHOD=
#PREBRUSH_DEFAULT_PARAMS={"scale": 200}
#PREBRUSH_DEFAULT_REGIONS={"max": 20}
#PREBRUSH_DEFAULT_LABELS={"rule": "class"}

# A file with settings, in place of the image's own; mount it. Variables beat it.
#PREBRUSH_CONFIG=/etc/prebrush/config.yaml
"""
IN_CONTAINERS = {
    ("server", "host"): "0.0.0.0",
    ("label_studio", "url"): "http://label-studio:8080",
    ("storage", "url"): "redis://redis:6379/0",
}
"""Settings that the Compose files give another value than the default."""

ROUTES = {
    "GET /health": "Life sign, in under 1 s whatever else runs.",
    "GET /ready": "Whether it should get requests: 503 while kernels load, while stopping, when full.",
    "GET /": "The same as `/health`; a browser is sent to the playground.",
    "POST /setup": "Remembers a project's config, extra parameters, host and token; answers the model version.",
    "POST /predict": "Predictions, one entry a task, in order; with a context, the answer to clicks and boxes.",
    "POST /webhook": "Takes every event of Label Studio.",
    "GET, POST /versions": "Model versions in force.",
    "POST /validate": "Whether a labeling config can be served, and what to add if not.",
    "POST /train": "Nothing to train; answers so that older connectors are content.",
    "GET /is_training": "Always false.",
    "POST /job_status": "Always completed.",
    "POST /delete": "Nothing to delete; masks age out of the cache.",
    "POST /duplicate_model": "Nothing to copy; `/setup` brings a project's settings.",
    "GET /metrics": "Prometheus text.",
    "GET /playground": "A page to try methods on a photo; its calls live under `/playground/`.",
}
"""What each of Label Studio's routes does; test_docs.py holds it to the app's own list."""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def knob_rows(params_class: type, prefix: str = "") -> list[tuple[str, ...]]:
    return [
        (f"`{prefix}{knob.name}`", knob.expected(), f"`{knob.default}`" if knob.default != "" else "none", knob.help)
        for knob in knobs_of(params_class)
    ]


def setting_rows() -> list[tuple[str, ...]]:
    rows = []
    for section, kind in SECTIONS.items():
        for knob in knobs_of(kind):
            default = f"`{knob.default}`" if knob.default != "" else "none"
            where = "variable only" if (section, knob.name) in SECRETS else default
            rows.append((f"`{section}.{knob.name}`", where, knob.help + (f" [{knob.unit}]" if knob.unit else "")))
    rows.append(
        ("`default`", "none", "`method`, `params`, `regions`, `labels`, `prompts` where nothing nearer speaks.")
    )
    rows.append(("`projects.<id>`", "none", "The same for one project, by its number in Label Studio."))
    return rows


def cure_rows() -> list[tuple[str, ...]]:
    """List what `check` advises; names of settings, addresses and the like are set as code."""
    code = re.compile(
        r"(?<![\w`])(<[^>]+>|\w+=\"[^\"]*\"|https?://[^\s;]*|/data/\S+|images\.\w+|[A-Z]+_[A-Z_]+(=[^\s;)]+)?)"
    )
    return [
        (", ".join(f"`{phrase.strip()}`" for phrase in phrases), code.sub(lambda match: _as_code(match[0]), cure))
        for phrases, cure in CURES
    ]


def _as_code(word: str) -> str:
    bare = word.rstrip(".,:")
    return f"`{bare}`{word[len(bare) :]}"


def command_rows() -> list[tuple[str, ...]]:
    commands = typer.main.get_command(cli).commands  # type: ignore[attr-defined]  # typer hides the class
    return [
        (f"[`prebrush {name}`](#prebrush-{name})", (command.help or "").splitlines()[0])
        for name, command in commands.items()
    ]


def app_routes(app: Flask) -> dict[str, set[str]]:
    """List the app's routes that Label Studio or a person calls, with their methods."""
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/playground/") and rule.endpoint != "static":
            found.setdefault(rule.rule, set()).update((rule.methods or set()) - {"HEAD", "OPTIONS"})
    return found


def build_parts() -> dict[str, str]:
    return {
        "methods": ",\n".join(f"[`{name}`](docs/methods/{name}.md)" for name in METHODS) + ".",
        "cleanup": table(("knob", "values", "default", "what it does"), knob_rows(Cleanup)),
        "labels": table(("knob", "values", "default", "what it does"), knob_rows(LabelRule)),
        "prompts": table(("knob", "values", "default", "what it does"), knob_rows(PromptRule)),
        "commands": table(("command", "what it does"), command_rows()),
        "settings": table(("setting", "default", "what it is"), setting_rows()),
        "cures": table(("what is said", "the one thing to change"), cure_rows()),
        "routes": table(("route", "what it does"), [(f"`{route}`", text) for route, text in ROUTES.items()]),
    }


def fill_in(page: Path) -> str:
    """Put a page's parts between their markers."""
    parts = build_parts()
    return fill_markers(page.read_text(), {name: parts[name] for name in TABLES[page]}, page.name)


def fill_markers(text: str, parts: Mapping[str, str], where: str) -> str:
    for name, content in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise SystemExit(f"{where} must have the markers of {name!r} once")
        text = pattern.sub(lambda match, content=content: f"{match[1]}{content}\n{match[2]}", text)
    return text


def write_config() -> str:
    """Write config.yaml: each section with its settings, their defaults and what they are."""
    lines = []
    for section, kind in SECTIONS.items():
        lines += ["", f"# {kind.__doc__}", f"{section}:"]
        for knob in knobs_of(kind):
            if (section, knob.name) not in SECRETS:
                unit = f" [{knob.unit}]" if knob.unit else ""
                lines.append(f"  {knob.name}: {as_yaml(knob.default)}  # {knob.help}{unit}")
    return CONFIG_HEAD + "\n".join(lines) + "\n" + CONFIG_TAIL


def write_environment() -> str:
    """Write docker/.env.example: what is asked for first, then a variable for each setting."""
    names = {place: name for name, place in STUDIO_NAMES.items()}
    lines = []
    for section, kind in SECTIONS.items():
        lines += ["", f"# --- {kind.__doc__}"]
        for knob in knobs_of(kind):
            place = (section, knob.name)
            if place != ("label_studio", "api_key"):
                name = names.get(place, f"{PREFIX}{section}_{knob.name}".upper())
                value = IN_CONTAINERS.get(place, as_yaml(knob.default).strip('"'))
                lines += [f"# {knob.help}{f' [{knob.unit}]' if knob.unit else ''}", f"#{name}={value}"]
    return ENVIRONMENT_HEAD + "\n".join(lines) + "\n"


def as_yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or '""'


if __name__ == "__main__":
    CONFIG.write_text(write_config())
    ENVIRONMENT.write_text(write_environment())
    for page in TABLES:
        page.write_text(fill_in(page))
