"""config.yaml and the environment become one frozen `Settings`; nothing else reads the environment.

A flag of the command line beats the environment, the environment beats the file, the file beats the defaults. The
sections below are the only list of settings: tests hold ``config.yaml``, the documents and ``prebrush check`` to it.
"""

import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prebrush.errors import ConfigError, InvalidParams
from prebrush.knobs import knobs_of, param, parse_knobs
from prebrush.yaml_file import read_mapping

PREFIX = "PREBRUSH_"
STUDIO_NAMES = MappingProxyType(
    {
        "LABEL_STUDIO_URL": ("label_studio", "url"),
        "LABEL_STUDIO_API_KEY": ("label_studio", "api_key"),
        "BASIC_AUTH_USER": ("server", "basic_auth_user"),
        "BASIC_AUTH_PASS": ("server", "basic_auth_pass"),
    }
)
"""Variables that Label Studio's own backends read, and the setting each one fills."""

_PASSWORD = re.compile(r"//.*@")

SECRETS = frozenset({("label_studio", "api_key"), ("server", "basic_auth_pass"), ("server", "bearer_token")})
"""Settings that are taken from the environment alone and never shown."""

CHOICE_KEYS = ("method", "params", "regions", "labels", "prompts")
"""What ``default`` and each entry of ``projects`` may hold."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server listens and how much it takes on."""

    host: str = param("127.0.0.1", help="Address to listen on; the container sets 0.0.0.0.")
    port: int = param(9090, low=0, high=65535, help="Port to listen on; 0 picks a free one.")
    threads: int = param(32, low=4, high=512, help="Requests served at the same time; four are kept for quick routes.")
    jobs: int = param(0, low=0, high=256, help="Images segmented at the same time; 0 is one for each CPU core.")
    answer_within_s: float = param(
        80.0, low=0.05, high=95, unit="s", help="A batch answers after this; the rest is finished in the background."
    )
    stop_within_s: float = param(
        30.0, low=1, high=600, unit="s", help="Told to stop, the server answers with what is ready before this is over."
    )
    max_body_bytes: int = param(
        268_435_456, low=1024, high=2**40, unit="bytes", help="Largest request; Label Studio sends up to 250 MB."
    )
    max_tasks: int = param(10_000, low=1, high=1_000_000, help="Most tasks in one request.")
    basic_auth_user: str = param("", help="User that Label Studio must show; empty asks for none.")
    basic_auth_pass: str = param("", help="That user's password; from the environment only.")
    bearer_token: str = param("", help="Token that other callers may show instead; from the environment only.")
    open_to_all: bool = param(
        False, help="Nobody is asked for anything, and that is meant: no warning at start, any host name is answered."
    )
    log_level: str = param("info", choices=("debug", "info", "warning", "error"), help="How much is logged.")
    log_format: str = param("text", choices=("text", "json"), help="Log lines for people, or a JSON object each.")


@dataclass(frozen=True, slots=True)
class StudioSettings:
    """The Label Studio whose images are fetched."""

    url: str = param("", help="Address of Label Studio as this server reaches it; empty takes what `/setup` tells.")
    api_key: str = param("", help="Personal access token or legacy token for the images; from the environment only.")
    trust_setup_host: bool = param(
        True, help="Without `url`, fetch from the private address that `/setup` tells; turn off on a shared network."
    )


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """What may be fetched, and how large it may be."""

    max_bytes: int = param(268_435_456, low=1024, high=2**40, unit="bytes", help="Largest image file.")
    max_pixels: int = param(100_000_000, low=1, high=2**31 - 1, unit="px", help="Largest image, width times height.")
    timeout_s: float = param(30.0, low=0.1, high=3600, unit="s", help="Time for one image, from first byte to last.")
    max_redirects: int = param(5, low=0, high=20, help="Redirects followed for one image.")
    allow_public: bool = param(True, help="Fetch from any public address.")
    allowed_hosts: str = param(
        "", help="Further hosts, `*.suffix`, addresses or networks (10.0.0.0/8) to fetch from, by comma."
    )
    recheck_s: float = param(
        60.0, low=0, high=86_400, unit="s", help="While a person clicks, an image is trusted this long to be unchanged."
    )


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where cached segments and what projects told us are kept."""

    url: str = param(
        "sqlite:///prebrush-data", help="`sqlite:///FOLDER`, or `redis://`, `rediss://`, sentinel, cluster."
    )
    max_bytes: int = param(
        2_147_483_648, low=1_048_576, high=2**50, unit="bytes", help="Size of the SQLite cache, oldest out first."
    )
    ttl_s: int = param(2_592_000, low=1, high=2**31 - 1, unit="s", help="How long a cached result is kept.")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured, checked, in one value."""

    server: ServerSettings = field(default_factory=ServerSettings)
    label_studio: StudioSettings = field(default_factory=StudioSettings)
    images: ImageSettings = field(default_factory=ImageSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    default: Mapping[str, Any] = field(default_factory=dict)
    """Method, params, regions and labels where nothing nearer says otherwise."""
    projects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The same by project number."""


SECTIONS: Mapping[str, type[Any]] = MappingProxyType(
    {"server": ServerSettings, "label_studio": StudioSettings, "images": ImageSettings, "storage": StorageSettings}
)


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[tuple[str, str], object] | None = None,
) -> Settings:
    """Read the file, then the environment, then the flags.

    Parameters
    ----------
    path : Path or None
        The configuration file; None takes ``PREBRUSH_CONFIG``, else ``config.yaml`` in the working folder, if any.
    environ : mapping or None
        Variables; None takes the process's own.
    flags : mapping of (section, name) to value
        What the command line was given.

    Raises
    ------
    ConfigError
        A key is unknown, a value does not fit, or the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    content = _read_file(_choose_file(path, environ))
    values: dict[str, dict[str, Any]] = {name: dict(_section(content, name)) for name in SECTIONS}
    for section, name in SECRETS:
        if values[section].get(name):
            own = f"{PREFIX}{section}_{name}".upper()
            variable = next((key for key, place in STUDIO_NAMES.items() if place == (section, name)), own)
            raise ConfigError(f"{section}.{name} is a secret: set the environment variable {variable}, not the file")
    choice = _merge_environment(values, environ)
    for (section, name), value in (flags or {}).items():
        values[section][name] = value
    sections = {name: _parse_section(name, values[name]) for name in SECTIONS}
    default = _choice("default", {**_section(content, "default"), **choice})
    projects = {
        str(number): _choice(f"projects.{number}", entry) for number, entry in _section(content, "projects").items()
    }
    url = sections["label_studio"].url
    if url and not url.startswith(("http://", "https://")):
        raise ConfigError("LABEL_STUDIO_URL (label_studio.url) is no address: write it like http://localhost:8080")
    if bool(sections["server"].basic_auth_user) != bool(sections["server"].basic_auth_pass):
        raise ConfigError(
            "set both BASIC_AUTH_USER and BASIC_AUTH_PASS, or neither: one alone would ask nobody for anything"
        )
    return Settings(**sections, default=default, projects=projects)


def describe_settings(settings: Settings) -> list[tuple[str, str, str]]:
    """List (name, value in force, help) of every setting, secrets masked."""
    rows = []
    for section, kind in SECTIONS.items():
        for knob in knobs_of(kind):
            value = getattr(getattr(settings, section), knob.name)
            shown = ("(set)" if value else "(not set)") if (section, knob.name) in SECRETS else str(value)
            rows.append((f"{section}.{knob.name}", _PASSWORD.sub("//***@", shown), knob.help))
    return rows


def _choose_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    if path is not None:
        return path
    if environ.get("PREBRUSH_CONFIG"):
        return Path(environ["PREBRUSH_CONFIG"])
    here = Path("config.yaml")
    return here if here.is_file() else None


def _read_file(path: Path | None) -> dict[str, Any]:
    content = {} if path is None else read_mapping(path)
    known = [*SECTIONS, "default", "projects"]
    for name in content:
        if name not in known:
            raise ConfigError(f"{path}: there is no section {name!r}{_nearest(name, known)}")
    return content


def _section(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = content.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise ConfigError(f"section {name!r} must hold `key: value` lines, not {type(section).__name__}")
    return section


def _merge_environment(values: dict[str, dict[str, Any]], environ: Mapping[str, str]) -> dict[str, Any]:
    """Put variables into `values`; return those that belong to ``default``."""
    choice: dict[str, Any] = {}
    for variable, (section, name) in STUDIO_NAMES.items():
        if environ.get(variable):
            values[section][name] = environ[variable]
    known = {f"{PREFIX}{s}_{k.name}".upper(): (s, k.name) for s, kind in SECTIONS.items() for k in knobs_of(kind)}
    for variable, value in environ.items():
        # names of test and build variables share the prefix; those are not settings
        if not variable.startswith(PREFIX) or variable == "PREBRUSH_CONFIG" or _is_reserved(variable):
            continue
        # an environment file lists variables that nobody filled in; those say nothing
        if not value:
            continue
        if variable in known:
            section, name = known[variable]
            values[section][name] = value
        elif variable.startswith(f"{PREFIX}DEFAULT_"):
            choice[variable.removeprefix(f"{PREFIX}DEFAULT_").lower()] = _maybe_json(value)
        else:
            raise ConfigError(f"there is no setting for the variable {variable}{_nearest(variable, known)}")
    return choice


def _is_reserved(variable: str) -> bool:
    return variable.startswith((f"{PREFIX}TEST_", f"{PREFIX}SHARED_"))


def _maybe_json(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _parse_section(name: str, values: Mapping[str, Any]) -> Any:
    flat = {
        key: ",".join(map(str, value)) if isinstance(value, list) else ("" if value is None else value)
        for key, value in values.items()
    }
    try:
        return parse_knobs(SECTIONS[name], flat, owner=f"section {name!r}")
    except InvalidParams as error:
        raise ConfigError(str(error)) from error


def _choice(where: str, entry: object) -> Mapping[str, Any]:
    """Check the shape of a method's choice; its values are checked when a plan is made of it."""
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} must hold {', '.join(CHOICE_KEYS)}, not {type(entry).__name__}")
    for key in entry:
        if key not in CHOICE_KEYS:
            raise ConfigError(f"{where} has no key {key!r}{_nearest(str(key), CHOICE_KEYS)}")
    return MappingProxyType(dict(entry))


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; known are: {', '.join(known)}"


def server_url(host: str, port: int) -> str:
    """Return the address to call a server at that listens on `host`."""
    # an address to listen on everywhere is no address to call
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  nothing is bound to it here
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
