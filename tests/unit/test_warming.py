"""Whoever waits for the kernels is told why, and nobody else."""

import threading

import pytest

from prebrush import warming
from prebrush.errors import PrebrushError


@pytest.fixture
def said(monkeypatch, caplog, capsys):
    """Replace the compiling by a wait."""

    caplog.set_level("INFO", "prebrush.warming")

    def said(slow_s: float, wait_s: float, error: Exception | None = None, **more: bool) -> tuple[str, str]:
        def compile_nothing() -> None:
            threading.Event().wait(wait_s)
            if error:
                raise error

        monkeypatch.setattr(warming, "SLOW_S", slow_s)
        monkeypatch.setattr(warming, "_warm", compile_nothing)
        try:
            warming.warm_kernels(**more)
        except PrebrushError:
            assert error
        return "".join(record.getMessage() for record in caplog.records), capsys.readouterr().err

    return said


def test_a_long_wait_is_explained(said):
    assert said(slow_s=0.01, wait_s=0.5, on_terminal=True) == ("", f"prebrush: {warming.NOTICE}\n")
    assert said(slow_s=0.01, wait_s=0.5) == (warming.NOTICE, "")


@pytest.mark.parametrize("error", [None, PrebrushError("no")])
def test_a_short_one_is_not(said, error):
    assert said(slow_s=0.2, wait_s=0, error=error) == ("", "")
    threading.Event().wait(0.4)
    assert said(slow_s=60, wait_s=0) == ("", "")
