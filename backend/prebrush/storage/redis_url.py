"""A storage's URL -> the Redis client it asks for. Nothing is connected here."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from prebrush.errors import ConfigError

# Whichever client it is, the few commands used on it are the same; redis-py gives them no common type, and which of
# its functions have types at all differs by version.
Client: TypeAlias = Any
_parse_url: Any = parse_url
_Sentinel: Any = Sentinel
_Node: Any = ClusterNode

# Label Studio gives /setup 3 s, in which state is read and written: both must fit, however slow the answers are.
_DEFAULTS: Mapping[str, Any] = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 1.0,
    "decode_responses": False,
    # The older protocol: nothing of the newer is used, and servers and proxies that lack it are still about.
    "protocol": 2,
}
_FORMS = {"": "[/db]", "sentinel": ",host.../master[/db]", "cluster": ",host..."}


def build_client(url: str) -> tuple[Callable[[], Client], str]:
    """Return a function that makes the client, and the URL without its secrets.

    Parameters
    ----------
    url : str
        ``redis://[user:password@]host[:port][/db]``;
        ``redis+sentinel://[user:password@]host[:port],host[:port].../master[/db]``;
        ``redis+cluster://[user:password@]host[:port],host[:port]...``; each with ``rediss`` for TLS. Options of
        redis-py follow as a query, such as ``?socket_timeout=1`` or ``?ssl_ca_certs=/file``; ``sentinel_username``
        and ``sentinel_password`` are for sentinels that ask for their own.

    Raises
    ------
    ConfigError
        The URL cannot be read. The message never repeats it: a badly written one may hold a password anywhere.
    """
    prefix = url.partition("://")[0]
    scheme, _, kind = prefix.partition("+")
    if scheme not in {"redis", "rediss"} or kind not in _FORMS:
        raise ConfigError("a Redis URL begins with redis:// or rediss://, with +sentinel or +cluster before the colon")
    try:
        parts = urlsplit(url)
        hosts = _parse_hosts(parts, 26379 if kind == "sentinel" else 6379)
        options = _parse_options(parts, scheme)
        path = [unquote(part) for part in parts.path.split("/") if part]
        if kind == "sentinel":
            master = path.pop(0)
        if path:
            options["db"] = int(path.pop(0))
        misplaced = "@" in f"{parts.path}{parts.query}{parts.fragment}"  # a password cut in two by a / of its own
        if misplaced or path or (not kind and len(hosts) > 1) or (kind == "cluster" and options.pop("db", 0)):
            raise ValueError  # noqa: TRY301  one message for everything that is wrong with the URL
    except (ValueError, IndexError):
        raise ConfigError(
            f"the storage URL is not of the form {prefix}://[user:password@]host[:port]{_FORMS[kind]}; "
            "write /, #, ?, @ and % in a password percent-encoded"
        ) from None
    masked = f"{parts.scheme}://{','.join(f'{host}:{port}' for host, port in hosts)}{parts.path}"
    if kind == "sentinel":
        return lambda: _sentinel(hosts, master, options), masked
    if kind == "cluster":
        return lambda: _cluster(hosts, options), masked
    return lambda: _single(hosts[0], options), masked


def close_client(client: Client) -> None:
    """Close a client's connections, with those to the sentinels, which redis-py leaves open."""
    client.close()
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for sentinel in manager.sentinels if manager is not None else ():
        sentinel.close()


def _parse_hosts(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    hosts = []
    for part in parts.netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{part}")
        hosts.append((one.hostname or "localhost", one.port or default_port))
    return hosts


def _parse_options(parts: SplitResult, scheme: str) -> dict[str, Any]:
    """Return what redis-py reads from user, password, query and scheme, over our defaults."""
    userinfo, at, _ = parts.netloc.rpartition("@")
    options = {**_DEFAULTS, **_parse_url(f"{scheme}://{userinfo}{at}localhost/?{parts.query}")}
    del options["host"]
    # the one word for TLS that all three clients understand
    if options.pop("connection_class", None) is not None:
        options["ssl"] = True
    return options


def _single(host: tuple[str, int], options: Mapping[str, Any]) -> Client:
    # A failed command closes its connection only where it may be retried: so it may, zero times.
    return redis.Redis(host=host[0], port=host[1], retry=Retry(NoBackoff(), 0), **options)


def _sentinel(hosts: list[tuple[str, int]], master: str, options: Mapping[str, Any]) -> Client:
    data = {name: value for name, value in options.items() if not name.startswith("sentinel_")}
    shared = {name: value for name, value in options.items() if name.startswith(("socket_", "ssl", "protocol"))}
    own = {name.removeprefix("sentinel_"): value for name, value in options.items() if name not in data}
    retry = Retry(NoBackoff(), 0)
    sentinel = _Sentinel(hosts, sentinel_kwargs={**shared, **own, "retry": retry}, retry=retry, **data)
    return sentinel.master_for(master)


def _cluster(hosts: list[tuple[str, int]], options: Mapping[str, Any]) -> Client:
    nodes = [_Node(host, port) for host, port in hosts]
    # One retry, after it has asked again which node holds what: that is how a fail-over is survived.
    return RedisCluster(startup_nodes=nodes, retry=Retry(NoBackoff(), 1), **options)
