"""A server that answers."""

import pytest

from loopback import Answer, Server


@pytest.fixture
def server():
    with Server(lambda _: Answer(200, b"picture", {"Content-Type": "image/png", "ETag": '"1"'})) as running:
        yield running
