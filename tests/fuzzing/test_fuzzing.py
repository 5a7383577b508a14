"""Every parser meets its seeds, what once broke it, and the first steps of where coverage leads to."""

import os
import platform
import sys
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzing.__main__ import fuzz
from fuzzing.seeds import seeds_of
from fuzzing.targets import TARGETS

FIXED = ("-seed=1", "-runs=25000")
"""The same walk each time, about 10 s, so that it breaks on a change and never by chance; `make fuzz` explores."""
SECONDS = 120


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_what_once_broke_it(target):
    seeds = seeds_of(target)
    assert len(seeds) > 1
    for seed in seeds:
        TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_with_a_piece_changed(target):
    seeds = seeds_of(target)

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(seeds), st.data())
    def change(seed, data):
        at = data.draw(st.integers(0, len(seed)))
        length = data.draw(st.integers(0, 40))
        TARGETS[target](seed[:at] + data.draw(st.binary(max_size=12)) + seed[at + length :])

    change()


def test_the_first_steps_of_fuzzing(tmp_path):
    if find_spec("atheris") is None:
        # where pyproject.toml asks for it
        is_expected = sys.version_info < (3, 14) and sys.platform == "linux" and platform.machine() == "x86_64"
        if os.environ.get("CI") == "true" and is_expected:
            pytest.fail("atheris is not installed, and in CI it must be")
        pytest.skip("atheris is not installed")
    runs, edges, found = fuzz("every", SECONDS, tmp_path, FIXED)
    assert found == []
    assert runs > 100
    assert edges > 10
