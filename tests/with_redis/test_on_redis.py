"""The storage's suite on a real Redis: alone, behind a sentinel, as a cluster."""

import contextlib

import pytest

from prebrush.storage import open_storage
from redis_servers import cluster, redis_server, sentinel_group
from storage_suite import GENEROUS_BYTES, LONG_S, StorageSuite


def cache_name(key: str) -> bytes:
    return b"prebrush:1:cache:" + key.encode()


class TestSuite(StorageSuite):
    @pytest.fixture
    def client(self, shared_server):
        with contextlib.closing(shared_server.client()) as client:
            yield client

    @pytest.fixture
    def url(self, shared_server, client):
        client.flushall()
        client.config_set("appendonly", "yes")
        self.client_used = client
        return shared_server.url

    def write_raw(self, url, key, stored):
        self.client_used.set(cache_name(key), stored)

    def read_raw(self, url, key):
        return self.client_used.get(cache_name(key))

    def write_raw_project(self, url, project, stored):
        self.client_used.hset("prebrush:1:projects", project, stored)

    def test_only_cached_values_have_a_time_to_live(self, storage, client):
        storage.put("a", b"1")
        storage.save_project("a", b"1")
        assert {client.ttl(name) == -1 for name in client.keys("prebrush:1:cache:*")} == {False}
        assert 0 < client.ttl(cache_name("a")) <= LONG_S
        assert client.ttl("prebrush:1:projects") == -1

    def test_every_key_carries_the_version(self, storage, client):
        storage.put("a", b"1")
        storage.save_project("a", b"1")
        storage.check()
        assert {name.startswith(b"prebrush:1:") for name in client.keys("*")} == {True}

    def test_foreign_fields_among_the_projects_are_left_out(self, storage, client):
        storage.save_project("a", b"1")
        client.hset("prebrush:1:projects", b"\xff\xfe", b"x")
        assert storage.list_projects() == ["a"]

    @pytest.mark.parametrize(
        ("setting", "value", "advice"),
        [
            ("maxmemory-policy", "allkeys-lru", "volatile-lru"),
            ("maxmemory", "100mb", "volatile-lru"),
            ("appendonly", "no", "appendonly"),
        ],
    )
    def test_check_advises_on_settings_that_endanger_the_data(self, storage, client, setting, value, advice):
        before = client.config_get(setting)[setting]
        try:
            client.config_set(setting, value)
            assert [advice in line for line in storage.check()] == [True]
        finally:
            client.config_set(setting, before)

    def test_check_takes_no_for_an_answer(self, storage, client):
        client.execute_command("ACL SETUSER shy on >secret ~* +@all -info")
        shy = open_storage(
            f"{storage.where.removeprefix('Redis at ')}".replace("//", "//shy:secret@"),
            max_bytes=GENEROUS_BYTES,
            ttl_s=1,
        )
        assert shy.check() == []
        shy.close()


def test_a_full_server_evicts_the_cache_and_keeps_the_projects(tmp_path):
    with redis_server(tmp_path, "--maxmemory", "8mb", "--maxmemory-policy", "volatile-lru") as server:
        storage = open_storage(server.url, max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
        for number in range(20):
            storage.save_project(str(number), bytes(10_000))
        for number in range(300):
            storage.put(str(number), bytes(100_000))
        kept = sum(storage.get(str(number)) is not None for number in range(300))
        assert 0 < kept < 100
        assert all(storage.load_project(str(number)) == bytes(10_000) for number in range(20))
        storage.close()


def expect_working(url: str, *, names: int) -> None:
    storage = open_storage(url, max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
    for number in range(names):
        storage.put(str(number), b"cached %d" % number)
        storage.save_project(str(number), b"state %d" % number)
    for number in range(names):
        assert storage.get(str(number)) == b"cached %d" % number
        assert storage.load_project(str(number)) == b"state %d" % number
    assert storage.list_projects() == sorted(map(str, range(names)))
    assert storage.get("absent") is None
    storage.check()
    storage.close()


def test_a_cluster_serves_keys_from_all_its_nodes(tmp_path):
    with cluster(tmp_path) as (url, first, second):
        expect_working(url, names=30)
        for node in (first, second):
            with contextlib.closing(node.client()) as client:
                assert client.dbsize() > 5


def test_a_sentinel_leads_to_the_master(tmp_path):
    with sentinel_group(tmp_path) as (url, master, _):
        expect_working(url, names=3)
        with contextlib.closing(master.client()) as client:
            assert client.exists("prebrush:1:projects")


def test_a_password_of_any_characters_opens_the_door(tmp_path):
    with redis_server(tmp_path) as server:
        with contextlib.closing(server.client()) as client:
            client.execute_command("ACL", "SETUSER", "me", "on", ">p/#?@%:ss", "~*", "+@all")
        expect_working(server.url.replace("//", "//me:p%2F%23%3F%40%25%3Ass@"), names=1)
