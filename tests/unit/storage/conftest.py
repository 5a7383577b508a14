"""A storage in files of its own."""

import pytest

from prebrush.storage import open_storage, sqlite_file
from storage_suite import GENEROUS_BYTES, LONG_S


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "deep" / "data"


@pytest.fixture
def storage(folder):
    storage = open_storage(str(folder), max_bytes=GENEROUS_BYTES, ttl_s=LONG_S)
    yield storage
    storage.close()


@pytest.fixture
def hasty(monkeypatch):
    """Give up on locks sooner, to keep the tests short."""
    monkeypatch.setattr(sqlite_file, "_BUSY_S", 0.1)
