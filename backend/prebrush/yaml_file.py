"""A YAML file that a person wrote, read with care: bounded, and with every key as text."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from prebrush.errors import ConfigError

MOST_VALUES = 100_000
"""In one file, what its aliases stand for included."""


class _TextKeys(yaml.SafeLoader):
    """Keys are text as they are written: a label ``No`` or ``1`` is no truth value and no number. None comes twice."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            # the last of two would drive out the first without a word
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self.flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = self.DEFAULT_SCALAR_TAG
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, Any]:
    """Read the mapping that the file holds; an empty file holds none.

    Raises
    ------
    ConfigError
        The file cannot be read, is not YAML, holds too much, or holds something else than a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _TextKeys)  # noqa: S506  it is a SafeLoader
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deep") from error
    # a number of thousands of digits or a date that is none is a ValueError of Python's own
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    _refuse_many_values(content, path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold sections such as `server:`, not {type(content).__name__}")
    return content


def _refuse_many_values(content: object, path: Path) -> None:
    """Refuse a file whose aliases make more of it than anybody writes; a message would write all of it out."""
    left, waiting = MOST_VALUES, [content]
    while waiting:
        value = waiting.pop()
        left -= 1
        if left < 0:
            raise ConfigError(f"{path} holds over {MOST_VALUES} values; what an alias stands for counts each time")
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set):
            waiting += value
