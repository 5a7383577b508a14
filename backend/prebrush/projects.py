"""What Label Studio told us of each project: kept in the storage, so that a restart forgets nothing."""

from typing import Any

import msgspec

from prebrush.errors import InvalidBody
from prebrush.storage import Storage

MOST_BYTES = 2_000_000
"""Of one project's state; a labeling config of 1000 labels has about 50 thousand characters."""

MOST_NAME_CHARACTERS = 200
"""Of a project's name, which Label Studio makes of two numbers."""


class ProjectState(msgspec.Struct, frozen=True):
    """One project's memory."""

    hostname: str = ""
    token: str = ""
    extra_params: dict[str, Any] = {}
    label_config: str = ""
    saved: dict[str, Any] = {}
    """The choice of method that was saved in the playground; Label Studio knows nothing of it."""

    def __repr__(self) -> str:
        """Leave the token out: a state may end in a log."""
        return f"ProjectState(hostname={self.hostname!r}, extra_params={self.extra_params!r})"


class Projects:
    """The projects, by the full name Label Studio gives them (``"<id>.<unix time of creation>"``).

    The creation time keeps two Label Studios apart that both have a project 1.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def recall(self, project: str) -> ProjectState:
        """Return what is known of a project; an empty state where nothing is known, or nothing that can be read."""
        packed = self._storage.load_project(project) if project else None
        if packed is None:
            return ProjectState()
        try:
            return msgspec.json.decode(packed, type=ProjectState)
        except msgspec.DecodeError:
            return ProjectState()

    def remember(self, project: str, told: ProjectState) -> None:
        """Keep what `/setup` told.

        Host and token are one pair: a call that names no host says nothing of either, and both stay as they were. What
        was saved in the playground stays as well.

        Raises
        ------
        InvalidBody
            It is too much to be kept.
        """
        if len(project) > MOST_NAME_CHARACTERS:
            raise InvalidBody(f"project: has {len(project)} characters; a name has at most {MOST_NAME_CHARACTERS}")
        packed = msgspec.json.encode(told)
        if len(packed) > MOST_BYTES:
            raise InvalidBody(f"what /setup tells has {len(packed)} bytes; at most {MOST_BYTES} are kept of a project")
        known = self.recall(project)
        told = msgspec.structs.replace(told, saved=known.saved)
        if not told.hostname:
            told = msgspec.structs.replace(told, hostname=known.hostname, token=known.token)
        # setups come many times a minute: writing only changes keeps a shared storage quiet
        if project and told != known:
            self._storage.save_project(project, msgspec.json.encode(told))

    def save_choice(self, project: str, choice: dict[str, Any]) -> None:
        """Keep the choice of method for a project that is known; an empty one takes back what was saved.

        Raises
        ------
        InvalidBody
            It is too much to be kept.
        """
        packed = msgspec.json.encode(msgspec.structs.replace(self.recall(project), saved=choice))
        if len(packed) > MOST_BYTES:
            raise InvalidBody(f"the setting makes {len(packed)} bytes; at most {MOST_BYTES} are kept of a project")
        self._storage.save_project(project, packed)

    def names(self) -> list[str]:
        """List the projects that are known."""
        return self._storage.list_projects()
