"""The server and the machine it runs on: serve, check, health, warm-up."""

import time
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from prebrush.commands.terminal import ConfigFile, Json, out, print_json


def serve(
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks a free one.")] = None,
    threads: Annotated[int | None, typer.Option(help="Requests served at the same time.")] = None,
) -> None:
    """Run the server that Label Studio connects to."""
    from prebrush.settings import load_settings
    from prebrush.web.serving import run_server

    given = {"host": host, "port": port, "threads": threads}
    flags = {("server", name): value for name, value in given.items() if value is not None}
    run_server(load_settings(config, flags=flags))


def check(config: ConfigFile = None, as_json: Json = False) -> None:
    """Test settings, storage and Label Studio; say for each failure what to change."""
    from prebrush.checkup import run_checks
    from prebrush.settings import Settings, describe_settings, load_settings

    settings = load_settings(config)
    findings = run_checks(settings)
    if as_json:
        print_json({"settings": [row[:2] for row in describe_settings(settings)], "checks": findings})
    else:
        defaults = describe_settings(Settings())
        changed = [row for row, default in zip(describe_settings(settings), defaults, strict=True) if row != default]
        table = Table("setting", "in force", title="Settings other than their defaults")
        for setting, value, _ in changed:
            table.add_row(setting, escape(value))
        out.print(table if changed else "Every setting has its default.")
        for finding in findings:
            mark = "[green]ok[/]    " if finding["ok"] else "[red]failed[/]"
            # piped or not, a line stays one, to be searched and copied
            out.print(f"{mark} {escape(finding['what'])}: {escape(finding['found'])}", soft_wrap=True)
            if finding["advice"]:
                out.print(f"       {escape(finding['advice'])}", soft_wrap=True)
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)


def health(config: ConfigFile = None, as_json: Json = False) -> None:
    """Ask the server on this machine whether it is up, as a container's health check does."""
    from prebrush.health import ask_health
    from prebrush.settings import load_settings

    version = ask_health(load_settings(config))
    if as_json:
        print_json({"status": "up", "version": version})
    else:
        out.print("up")


def warm_up(as_json: Json = False) -> None:
    """Compile the kernels ahead of time, as an image build or a first start does."""
    from prebrush.warming import warm_kernels

    started = time.perf_counter()
    warm_kernels(on_terminal=True)
    seconds = time.perf_counter() - started
    if as_json:
        print_json({"seconds": round(seconds, 1)})
    else:
        out.print(f"kernels ready in {seconds:.1f} s")
