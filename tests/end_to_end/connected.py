"""A Label Studio project that is connected to prebrush, as the tests are handed it."""

import re
from dataclasses import dataclass
from typing import Any

from demo.processes import Server
from demo.studio import Studio
from end_to_end.pictures import Picture


@dataclass(frozen=True)
class Connected:
    """The project, its tasks by the name of their picture, and the two servers."""

    studio: Studio
    prebrush: Server
    project: int
    pictures: dict[str, Picture]
    tasks: dict[str, int]

    def prediction(self, name: str) -> dict[str, Any]:
        """Return the only prediction of a picture's task."""
        task = self.tasks[name]
        (found,) = [each for each in self.studio.predictions(self.project) if each["task"] == task]
        return found

    def answered_webhooks(self) -> int:
        """Count the events that prebrush took, from its log."""
        return sum(bool(re.search(r"POST /webhook 2\d\d\b", line)) for line in self.prebrush.log_lines())


def complaints_of(prebrush: Server) -> list[str]:
    """Return what the server logged as a warning or worse."""
    return [line for line in prebrush.log_lines() if re.search("WARNING|ERROR|Traceback", line)]
