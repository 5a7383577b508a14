"""The soak of ``bench/soak.py``, for seconds: mixed traffic, and not one request that fails."""

import os
import shutil

import pytest

from bench.soak import report, soak

KINDS = {"open", "click", "health", "metrics"}


@pytest.mark.parametrize(("servers", "seconds"), [(1, 10), (3, 10)], ids=["one", "three-behind-a-proxy"])
def test_nothing_fails_under_mixed_traffic(servers, seconds):
    if servers > 1 and not (shutil.which("haproxy") and shutil.which("redis-server")):
        if os.environ.get("CI") == "true":
            pytest.fail("haproxy or redis-server is not installed, and in CI they must be")
        pytest.skip("haproxy or redis-server is not installed")
    outcome = soak(seconds / 60, servers, people=8, pause_s=0.7)
    assert outcome.records.n_errors == 0, outcome.records.errors
    counts = {kind: count for kind, count, *_ in outcome.records.rows()}
    assert counts.keys() >= KINDS
    assert len(outcome.memory) == servers
    assert all(first > 50 and last > 50 for first, last, _ in outcome.memory)
    told = report(outcome, "mixed traffic", seconds / 60)
    assert "| click | " in told
    assert "missed" not in told
