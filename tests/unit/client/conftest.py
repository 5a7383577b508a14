"""A small Label Studio, and a client that knows no other time than the test's."""

import pytest

from getting_images import UPLOAD, Clock
from loopback import FakeStudio
from prebrush.client import StudioClient
from prebrush.fetching import Fetcher, FetchLimits


@pytest.fixture
def studio():
    with FakeStudio() as running:
        running.files = {UPLOAD: b"picture", "set/a.png": b"local"}
        yield running


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(clock):
    return StudioClient(Fetcher(FetchLimits(timeout_s=10)), clock)
