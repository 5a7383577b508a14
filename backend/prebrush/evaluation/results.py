"""What an evaluation came to: a row for every setting on every image, and means for each group and method."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prebrush.evaluation.items import Item, Kind
from prebrush.evaluation.measuring import FIGURES
from prebrush.evaluation.metrics import best_setting
from prebrush.recipes import Recipe


@dataclass(frozen=True, slots=True)
class Setting:
    """One way of running a method.

    Attributes
    ----------
    name : str
        ``knob=value`` where several values of a knob are tried, else empty.
    recipe : Recipe
    """

    name: str
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Row:
    """What one setting of a method reached on one image."""

    item: Item
    method: str
    setting: Setting
    seconds: float
    segments: int
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a method reached on one group of images.

    Attributes
    ----------
    setting : str
        The best one setting for all images, by the main figure; empty where only one was tried.
    ois : float or None
        The main figure where each image may have its own best setting; None where only one was tried.
    figures : mapping of str to float
        Means over the images at `setting`.
    seconds : float
        Mean for an image at `setting`.
    rows : tuple of Row
        At `setting`, worst image first.
    """

    group: str
    kind: Kind
    method: str
    setting: str
    ois: float | None
    figures: Mapping[str, float]
    seconds: float
    segments: float
    rows: tuple[Row, ...]

    @property
    def main(self) -> float:
        """The main figure."""
        return self.figures[FIGURES[self.kind][0].key]


@dataclass(frozen=True, slots=True)
class Results:
    """All of an evaluation: the rows of every setting tried, and a summary for each group and method."""

    rows: tuple[Row, ...]
    summaries: tuple[Summary, ...]
    unmarked: tuple[str, ...]
    """Images whose truth marks nothing; they are left out."""

    def of_group(self, group: str, kind: Kind) -> list[Summary]:
        """List the summaries of one group, the best main figure first."""
        found = [each for each in self.summaries if (each.group, each.kind) == (group, kind)]
        return sorted(found, key=lambda each: -each.main)

    def groups(self) -> list[tuple[str, Kind]]:
        """List groups and kinds in the order of the data set."""
        return list(dict.fromkeys((each.group, each.kind) for each in self.summaries))


def summarize(rows: Sequence[Row]) -> Iterator[Summary]:
    """Average over the images of each group, at each method's best setting."""
    together: dict[tuple[str, Kind, str], list[Row]] = {}
    for row in rows:
        together.setdefault((row.item.group, row.item.kind, row.method), []).append(row)
    for (group, kind, method), own in together.items():
        main = FIGURES[kind][0].key
        names = list(dict.fromkeys(row.setting.name for row in own))
        table: npt.NDArray[np.float64] = np.array([row.figures[main] for row in own]).reshape(-1, len(names))
        best = best_setting(table)
        chosen = [row for row in own if row.setting.name == names[best.place]]
        keys = dict.fromkeys(key for row in chosen for key in row.figures)
        means = {key: _mean(row.figures[key] for row in chosen if key in row.figures) for key in keys}
        yield Summary(
            group=group,
            kind=kind,
            method=method,
            setting=names[best.place],
            ois=best.ois if len(names) > 1 else None,
            figures=means,
            seconds=_mean(row.seconds for row in chosen),
            segments=_mean(row.segments for row in chosen),
            rows=tuple(sorted(chosen, key=lambda row: row.figures[main])),
        )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
