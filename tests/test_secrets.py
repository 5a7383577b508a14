"""The watch over secrets works: a test in which one is logged or printed fails."""

import logging

import pytest

import conftest

pytest_plugins = ("pytester",)

LEAKS = {
    "logged": "logging.getLogger('prebrush.any').debug('token %s', 'told-1')",
    "printed": "print('told-1')",
    "of a process": "subprocess.run(['echo', 'told-1'])",
    "nothing": "logging.getLogger('prebrush.any').debug('token ***')",
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_secret_in_a_log_fails_the_test(pytester, monkeypatch, kind):
    # a copy of the hook with a mark of its own, so that this test is not caught itself
    monkeypatch.setattr(conftest, "SECRET_MARKS", ("told-",))
    assert logging.getLogger().isEnabledFor(logging.DEBUG), "a token in a line for debugging is one too many"
    pytester.makeini("[pytest]\nlog_level = DEBUG")
    pytester.makepyfile(f"import logging, subprocess\ndef test_it():\n    {LEAKS[kind]}")

    class Watch:
        pass

    Watch.pytest_runtest_makereport = staticmethod(conftest.pytest_runtest_makereport)
    result = pytester.inline_run("--capture=fd", plugins=[Watch()])
    passed, _, failed = map(len, result.listoutcomes())
    assert (passed, failed) == ((1, 0) if kind == "nothing" else (0, 1))
