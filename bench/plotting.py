"""A chart of lines on logarithmic axes, as SVG: enough for one picture, without a plotting library."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 980, 620
LEFT, RIGHT, TOP, BOTTOM = 70, 210, 60, 60
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#17becf", "#7f7f7f")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the chart.

    Attributes
    ----------
    name : str
        Written beside its last point.
    points : sequence of (x, y)
        Both above 0, x rising.
    dashed : bool
    """

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


def draw_chart(lines: Sequence[Line], title: str, x_name: str, y_name: str) -> str:
    """Draw lines on logarithmic axes; give the text of an SVG file."""
    xs, ys = zip(*(point for line in lines for point in line.points), strict=True)
    across = _Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    up = _Axis(10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys))), HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text((LEFT + WIDTH - RIGHT) / 2, 25, title, "middle", size=15),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 15, x_name, "middle"),
        _text(LEFT, TOP - 12, y_name, "middle"),
    ]
    for x in across.ticks():
        parts.append(_rule(across.place(x), TOP, across.place(x), HEIGHT - BOTTOM))
        parts.append(_text(across.place(x), HEIGHT - BOTTOM + 18, f"{x:g}", "middle"))
    for y in up.ticks():
        parts.append(_rule(LEFT, up.place(y), WIDTH - RIGHT, up.place(y)))
        parts.append(_text(LEFT - 8, up.place(y) + 4, f"{y:g}", "end"))
    places = _spread([up.place(line.points[-1][1]) for line in lines])
    for number, (line, place) in enumerate(zip(lines, places, strict=True)):
        color = COLORS[number % len(COLORS)]
        path = " ".join(f"{across.place(x):.1f},{up.place(y):.1f}" for x, y in line.points)
        # the second time round the colours, dots tell the lines apart
        dashes = "8 4" if line.dashed else "2 3" if number >= len(COLORS) else "none"
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.8" stroke-dasharray="{dashes}"/>'
        )
        end = across.place(line.points[-1][0]), up.place(line.points[-1][1])
        parts.append(_rule(*end, WIDTH - RIGHT + 18, place, color))
        parts.append(_text(WIDTH - RIGHT + 22, place + 4, line.name, "start", color=color))
    return "\n".join([*parts, "</svg>"]) + "\n"


@dataclass(frozen=True, slots=True)
class _Axis:
    """A logarithmic axis from one value to another, and where these are drawn."""

    low: float
    high: float
    begin: float
    end: float

    def place(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """List 1, 3, 10 and so on; where there are many, powers of ten alone."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1, 3) if len(powers) < 5 else (1,)
        values = [step * 10.0**power for power in powers for step in steps]
        return [value for value in values if self.low * 0.999 <= value <= self.high * 1.001]


def _spread(places: Sequence[float], room: float = 15.0) -> list[float]:
    """Move the places of names apart, from the top down, and back into the picture from the bottom up."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    moved = list(places)
    for before, here in itertools.pairwise(order):
        moved[here] = max(moved[here], moved[before] + room)
    lowest = HEIGHT - BOTTOM
    for here in reversed(order):
        moved[here] = min(moved[here], lowest)
        lowest = moved[here] - room
    return moved


def _text(x: float, y: float, text: str, anchor: str, *, size: int = 12, color: str = "#222") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{color}">{escape(text)}</text>'
    )


def _rule(x: float, y: float, to_x: float, to_y: float, color: str = "#ddd") -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{color}" stroke-width="0.8"/>'
