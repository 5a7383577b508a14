"""What several servers want at once is computed by one of them, and the death of that one costs a bounded wait."""

import threading
import time

import pytest

from prebrush import sharing
from prebrush.jobs import Slots, Urgency
from prebrush.sharing import LEAST_PIXELS, Sharing
from prebrush.storage import ForgivingStorage, open_storage

LARGE = 2 * LEAST_PIXELS


@pytest.fixture
def servers(tmp_path):
    """Two servers on one storage, each with its own connection to it."""
    storages = [open_storage(f"sqlite:///{tmp_path}/data", max_bytes=1 << 26, ttl_s=3600) for _ in range(2)]
    yield [(storage, Sharing(storage, Slots(2))) for storage in storages]
    for storage in storages:
        storage.close()


def work(server, runs, pixels=LARGE, pause_s=0.2, error=None):
    storage, shared = server

    def compute():
        runs.append(threading.get_ident())
        time.sleep(pause_s)
        if error:
            raise error
        storage.put("result", b"computed")
        return b"computed"

    return shared.work("key", pixels, lambda: storage.get("result"), compute, Urgency.NOW)


def all_at_once(calls):
    results = []
    threads = [threading.Thread(target=lambda call=call: results.append(call())) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_two_servers_compute_once(servers):
    runs = []
    assert all_at_once([lambda s=s: work(s, runs) for s in servers * 2]) == [b"computed"] * 4
    assert len(runs) == 1


def test_small_work_is_not_worth_asking_around(servers):
    runs = []
    all_at_once([lambda s=s: work(s, runs, pixels=100) for s in servers])
    assert len(runs) == 2


def test_a_dead_holder_is_waited_for_so_long_and_no_longer(servers, monkeypatch):
    monkeypatch.setattr(sharing, "LEASE_S", 0.5)
    monkeypatch.setattr(sharing, "LEASE_S_PER_MEGAPIXEL", 0.0)
    assert servers[0][0].claim("key", "of one that was killed", 0.5)
    runs, started = [], time.monotonic()
    assert work(servers[1], runs, pause_s=0) == b"computed"
    assert time.monotonic() - started > 0.4
    assert len(runs) == 1


def test_one_that_hangs_and_holds_on_is_not_waited_for(servers, monkeypatch):
    monkeypatch.setattr(sharing, "LEASE_S", 0.3)
    monkeypatch.setattr(sharing, "LEASE_S_PER_MEGAPIXEL", 0.0)
    monkeypatch.setattr(servers[1][0], "claim", lambda *_: False)
    runs = []
    assert work(servers[1], runs, pause_s=0) == b"computed"
    assert len(runs) == 1


def test_an_error_frees_the_others_at_once(servers):
    runs = []
    with pytest.raises(ValueError, match="broken"):
        work(servers[0], runs, pause_s=0, error=ValueError("broken"))
    started = time.monotonic()
    assert work(servers[1], runs, pause_s=0) == b"computed"
    assert time.monotonic() - started < 2
    assert len(runs) == 2


def test_without_a_storage_each_works_for_itself():
    storage = ForgivingStorage(open_storage("redis://127.0.0.1:9/0", max_bytes=1 << 26, ttl_s=3600))
    runs = []
    assert work((storage, Sharing(storage, Slots(1))), runs, pause_s=0) == b"computed"
    assert len(runs) == 1
