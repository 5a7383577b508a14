"""What commands share: the terminal, the flags of several, how a knob is written."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from prebrush.errors import ConfigError

out = Console(highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file; else config.yaml here, if any.")]
Chosen = Annotated[str | None, typer.Option("--methods", metavar="A,B", help="These methods; else all.")]


def print_json(value: object) -> None:
    """Print a value for programs."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def split_knob(text: str) -> tuple[str, str]:
    """Read ``-p KNOB=VALUE``.

    Raises
    ------
    ConfigError
        It is written otherwise.
    """
    name, separator, value = text.partition("=")
    if not separator:
        raise ConfigError(f"-p {text}: expected KNOB=VALUE, as in -p scale=200")
    return name.strip(), value.strip()
