"""A stand-in Label Studio for each test; the SDK that talks to it is the real one."""

from collections.abc import Iterator

import pytest

from studio_stub import StudioStub


@pytest.fixture
def stub() -> Iterator[StudioStub]:
    stub = StudioStub()
    yield stub
    stub.stop()
