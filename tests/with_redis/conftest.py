import pytest

from redis_servers import RedisServer, redis_server, require_redis_server


@pytest.fixture(autouse=True)
def _needs_redis_server():
    require_redis_server()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    """One server for all tests that leave it as they found it."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def server(tmp_path) -> RedisServer:
    """A server of the test's own, which it may kill; it keeps its data over a restart."""
    with redis_server(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as server:
        yield server
