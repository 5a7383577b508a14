"""SQLite past all of our code."""

import contextlib
import sqlite3
from pathlib import Path


@contextlib.contextmanager
def raw(path: Path):
    """A connection of the sqlite3 module, past all of our code."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
