"""A run over a project, as it lies in Redis, without a Label Studio behind it."""

from typing import Any

import redis

from prebrush.batch.board import Board


def create_run(client: redis.Redis, tasks: int, **changes: Any) -> Board:
    """Create a run over tasks 1, 2, 3 ... in chunks of fifty, all of which are wanted."""
    facts = {
        "project": 7,
        "key": "7.1",
        "title": "",
        "version": "v",
        "only_missing": False,
        "first": 1,
        "last": tasks,
        "total": tasks,
        "width": 50,
        "wanted": tasks,
    }
    return Board.create(client, **{**facts, **changes})
