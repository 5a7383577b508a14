"""The one suite that every storage passes. A subclass says how to open one and how to reach the stored bytes."""

import multiprocessing
import threading
import time

import pytest

from prebrush.storage import Storage, open_storage

GENEROUS_BYTES = 64 << 20
LONG_S = 3600.0
ODD_NAMES = ("", "7", "host.example|7", "Übung", "a\0b", "\ud800", "x" * 2000, "a b/c:d*", "prebrush:1:projects")


class StorageSuite:
    @pytest.fixture
    def url(self) -> str:
        raise NotImplementedError

    def write_raw(self, url: str, key: str, stored: bytes) -> None:
        """Put bytes where the cache keeps this key, past all of our code."""
        raise NotImplementedError

    def read_raw(self, url: str, key: str) -> bytes:
        raise NotImplementedError

    def write_raw_project(self, url: str, project: str, stored: bytes) -> None:
        raise NotImplementedError

    @pytest.fixture
    def storage(self, url):
        storage = open_storage(url, max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
        yield storage
        storage.close()

    @pytest.fixture
    def other(self, url):
        """The same storage, opened as another server would."""
        storage = open_storage(url, max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
        yield storage
        storage.close()

    def test_nothing_is_there_at_first(self, storage: Storage):
        assert storage.get("a") is None
        assert storage.load_project("a") is None
        assert storage.list_projects() == []

    @pytest.mark.parametrize("value", [b"", b"\0", b"\r\n$5\r\n", bytes(range(256)) * 20_000], ids=len)
    def test_a_value_comes_back_as_it_went(self, storage: Storage, other: Storage, value):
        storage.put("a", value)
        storage.save_project("a", value[::-1])
        for one in (storage, other):
            assert one.get("a") == value
            assert one.load_project("a") == value[::-1]

    def test_the_last_value_stays(self, storage: Storage, other: Storage):
        for value in (b"long" * 1000, b"short"):
            storage.put("a", value)
            storage.save_project("a", value)
        assert other.get("a") == b"short"
        assert other.load_project("a") == b"short"
        assert other.list_projects() == ["a"]

    def test_any_name_will_do(self, storage: Storage, other: Storage):
        for number, name in enumerate(ODD_NAMES):
            storage.put(name, b"cached %d" % number)
            storage.save_project(name, b"state %d" % number)
        for number, name in enumerate(ODD_NAMES):
            assert other.get(name) == b"cached %d" % number
            assert other.load_project(name) == b"state %d" % number
        assert other.list_projects() == sorted(ODD_NAMES)

    def test_cached_values_expire_and_projects_do_not(self, url):
        storage = open_storage(url, max_bytes=GENEROUS_BYTES, ttl_s=0.05)
        storage.put("a", b"cached")
        storage.save_project("a", b"state")
        time.sleep(0.1)
        assert storage.get("a") is None
        assert storage.load_project("a") == b"state"
        storage.close()

    def test_a_closed_storage_opens_again(self, storage: Storage):
        storage.save_project("a", b"state")
        storage.close()
        assert storage.load_project("a") == b"state"

    def test_check_finds_nothing_wrong_with_a_working_storage(self, storage: Storage):
        assert storage.check() == []
        assert storage.list_projects() == []

    def test_one_of_many_gets_a_claim(self, storage: Storage, other: Storage):
        barrier, given = threading.Barrier(8), []

        def claim(number: int) -> None:
            barrier.wait()
            given.append((storage, other)[number % 2].claim("a", f"token {number}", LONG_S))

        threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(given) == [False] * 7 + [True]
        assert storage.claim("b", "token", LONG_S)
        assert storage.get("a") is None

    def test_a_claim_ends_with_its_token_or_its_time(self, storage: Storage, other: Storage):
        assert storage.claim("a", "mine", LONG_S)
        other.release("a", "not mine")
        assert not other.claim("a", "theirs", LONG_S)
        storage.release("a", "mine")
        storage.release("a", "mine")
        assert other.claim("a", "theirs", 0.1)
        assert not storage.claim("a", "mine", 0.1)
        time.sleep(0.15)
        assert storage.claim("a", "mine", 0.1)

    @pytest.mark.parametrize("position", [0, 3, 4, -1])
    def test_a_flipped_bit_is_a_miss(self, storage: Storage, url, position):
        storage.put("a", b"some value")
        stored = bytearray(self.read_raw(url, "a"))
        stored[position] ^= 1
        self.write_raw(url, "a", bytes(stored))
        assert storage.get("a") is None
        storage.put("a", b"anew")
        assert storage.get("a") == b"anew"

    def test_the_value_of_another_key_is_a_miss(self, storage: Storage, url):
        storage.put("a", b"of a")
        self.write_raw(url, "b", self.read_raw(url, "a"))
        assert storage.get("b") is None

    @pytest.mark.parametrize("stored", [b"", b"\0\0\0", b"garbage" * 100])
    def test_garbage_is_a_miss(self, storage: Storage, url, stored):
        storage.put("a", b"value")
        self.write_raw(url, "a", stored)
        storage.save_project("a", b"state")
        self.write_raw_project(url, "a", stored)
        assert storage.get("a") is None
        assert storage.load_project("a") is None
        assert storage.list_projects() == ["a"]

    def test_threads_see_whole_values(self, storage: Storage, other: Storage):
        _expect_no_torn_values([storage] * 4 + [other] * 4)

    def test_processes_see_whole_values_and_keep_each_others(self, storage: Storage, url):
        context = multiprocessing.get_context("spawn")
        with context.Pool(3) as pool:
            assert pool.starmap(_write_and_read, [(url, name) for name in ("p", "q", "r")]) == [True] * 3
        assert storage.list_projects() == ["p", "q", "r", "shared"]
        for name in ("p", "q", "r"):
            assert storage.load_project(name) == f"{name} 49".encode()
            assert storage.get(f"{name} 49") == name.encode() * 10_000

    def test_a_killed_writer_loses_nothing_it_acknowledged(self, storage: Storage, url):
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        writer = context.Process(target=_save_for_ever, args=(url, sender))
        writer.start()
        for _ in range(50):
            acknowledged = receiver.recv()
        writer.kill()
        writer.join()
        while receiver.poll():
            acknowledged = receiver.recv()
        state = storage.load_project("a")
        assert state is not None
        assert len(set(state.split(b","))) == 1
        assert int(state.split(b",")[0]) in (acknowledged, acknowledged + 1)
        storage.save_project("a", b"after")
        assert storage.load_project("a") == b"after"


def _expect_no_torn_values(storages: list[Storage]) -> None:
    problems: list[object] = []

    def work(number: int, storage: Storage) -> None:
        try:
            for turn in range(15):
                storage.save_project("shared", bytes([number]) * (20_000 + turn))
                storage.put("shared", bytes([number]) * (40_000 + turn))
                values = (storage.load_project("shared"), storage.get("shared"))
                problems.extend(value and set(value) for value in values if value is None or len(set(value)) != 1)
        except Exception as error:  # noqa: BLE001  whatever it is fails the test
            problems.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(storages)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def _write_and_read(url: str, name: str) -> bool:
    storage = open_storage(url, max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
    for turn in range(50):
        storage.save_project(name, f"{name} {turn}".encode())
        storage.save_project("shared", name.encode() * 30_000)
        storage.put(f"{name} {turn}", name.encode() * 10_000)
        shared = storage.load_project("shared")
        if shared is None or len(set(shared)) != 1 or storage.get(f"{name} {turn}") is None:
            return False
    storage.close()
    return True


def _save_for_ever(url: str, sender) -> None:
    storage = open_storage(url, max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
    turn = 0
    while True:
        storage.save_project("a", b",".join([b"%d" % turn] * 20_000))
        sender.send(turn)
        turn += 1
