"""A stand-in Label Studio for each test; the SDK that talks to it is the real one."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from studio_stub import StudioStub

collect_ignore = [] if find_spec("label_studio_sdk") else ["test_prelabel.py", "test_uploading.py"]
"""The run with the lowest versions has no SDK, which needs newer ones."""


@pytest.fixture
def stub() -> Iterator[StudioStub]:
    stub = StudioStub()
    yield stub
    stub.stop()
