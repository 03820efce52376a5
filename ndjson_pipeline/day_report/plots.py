"""Plots as shapes with their texts, for the page to draw as SVG; pure.

They are made by hand: no library is loaded for them, colors follow the light or dark mode of the page, and
each text goes through its escaping. A plot is 360 units wide, as a phone is, so its letters stay readable.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from lambda_ingest.contract.text import printable

WIDTH = 360.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 6.0, 10.0, 20.0
_HEIGHT = 150.0
_ROW = 34.0
_GRID_LINES = 4
_LETTER = 6.4
# Letters of East Asia, and pictures, are as wide as high.
_WIDE_LETTER = 11.5
_FIRST_WIDE = "\u1100"
_LONGEST_LABEL = 200


@dataclass(frozen=True)
class Bar:
    """A rectangle with what a pointer is told at it."""

    x: float
    y: float
    width: float
    height: float
    tip: str
    style: str = "bar"


@dataclass(frozen=True)
class Label:
    """A text; it begins, ends or has its middle at a place."""

    x: float
    y: float
    text: str
    anchor: str = "start"


@dataclass(frozen=True)
class Line:
    """A line of the grid."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        name: an identifier of the page.
        title: what it shows.
        summary: the same in a sentence, for whoever does not see it.
        rows: its values as texts, for a table beneath.
        height: in units of which it is 360 wide.
        bars: rectangles.
        area: points of an area's upper edge; empty for none.
        base: where the area ends below.
        lines: the grid.
        labels: texts.
        note: beneath it; may be empty.
    """

    name: str
    title: str
    summary: str
    rows: Sequence[tuple[str, str]]
    height: float = _HEIGHT
    bars: Sequence[Bar] = ()
    area: Sequence[tuple[float, float]] = ()
    base: float = _HEIGHT - _BOTTOM
    lines: Sequence[Line] = field(default_factory=list)
    labels: Sequence[Label] = field(default_factory=list)
    note: str = ""

    @property
    def outline(self) -> str:
        """The area's upper edge as SVG's points."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.area)

    @property
    def surface(self) -> str:
        """The area as SVG's points."""
        if not self.area:
            return ""
        first, last = self.area[0][0], self.area[-1][0]
        return f"{first:.1f},{self.base:.1f} {self.outline} {last:.1f},{self.base:.1f}"


def short(value: float) -> str:
    """Return a number in few letters, such as `1.2k`."""
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= bound:
            return f"{value / bound:.3g}{unit}"
    return f"{value:.3g}"


def seconds_text(seconds: float) -> str:
    """Return a duration in few letters."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def columns(
    name: str,
    title: str,
    summary: str,
    values: Sequence[float],
    labels: Sequence[str],
    *,
    unit: str,
    note: str = "",
) -> Plot:
    """Draw a column a value.

    Args:
        name: an identifier of the page.
        title: what it shows.
        summary: the same in a sentence.
        values: each at least 0.
        labels: as many; every sixth is written beneath.
        unit: of the values, for tips.
        note: beneath it.
    """
    top = _ceiling(max(values, default=0.0))
    width = (WIDTH - _LEFT - _RIGHT) / max(len(values), 1)
    bars = [
        Bar(
            _LEFT + number * width + width * 0.1,
            _y(value, top),
            width * 0.8,
            _HEIGHT - _BOTTOM - _y(value, top),
            f"{labels[number]}: {_exact(value)} {unit}",
        )
        for number, value in enumerate(values)
        if value > 0
    ]
    beneath = [
        Label(_LEFT + (number + 0.5) * width, _HEIGHT - 6, labels[number], "middle")
        for number in range(0, len(values), max(len(values) // 4, 1))
    ]
    lines, scale = _grid(top)
    rows = [(label, f"{_exact(value)} {unit}") for label, value in zip(labels, values, strict=True) if value]
    return Plot(name, title, summary, rows, bars=bars, lines=lines, labels=[*scale, *beneath], note=note)


def area(
    name: str,
    title: str,
    summary: str,
    values: Sequence[float],
    labels: Sequence[str],
    *,
    unit: str,
    note: str = "",
) -> Plot:
    """Draw a course over time: values at even distances, with as many labels."""
    top = _ceiling(max(values, default=0.0))
    step = (WIDTH - _LEFT - _RIGHT) / max(len(values) - 1, 1)
    points = [(_LEFT + number * step, _y(value, top)) for number, value in enumerate(values)]
    lines, scale = _grid(top)
    last = len(values) - 1
    marks = sorted({0, last // 3, 2 * last // 3, last}) if values else []
    anchors = {0: "start", last: "end"}
    beneath = [
        Label(points[number][0], _HEIGHT - 6, labels[number], anchors.get(number, "middle"))
        for number in marks
    ]
    every = max(len(values) // 24, 1)
    rows = [(labels[number], f"{_exact(values[number])} {unit}") for number in range(0, len(values), every)]
    return Plot(name, title, summary, rows, area=points, lines=lines, labels=[*scale, *beneath], note=note)


def rows(
    name: str,
    title: str,
    summary: str,
    values: Sequence[tuple[str, float, str]],
    *,
    note: str = "",
    styles: Sequence[str] = (),
) -> Plot:
    """Draw a row a value: its label above a bar, the value's text at its end.

    Args:
        name: an identifier of the page.
        title: what it shows.
        summary: the same in a sentence.
        values: label, number, and the number's text.
        note: beneath it.
        styles: of the bars, in turn.
    """
    top = max((value for _, value, _ in values), default=0.0) or 1.0
    bars, labels = [], []
    for number, (label, value, text) in enumerate(values):
        y = number * _ROW
        labels += [
            Label(2, y + 13, _fitted(label, WIDTH - len(text) * _LETTER - 14)),
            Label(WIDTH - 2, y + 13, text, "end"),
        ]
        style = styles[number % len(styles)] if styles else "bar"
        width = max((WIDTH - 4) * value / top, 1.0 if value else 0.0)
        bars.append(Bar(2, y + 18, width, 9, f"{label}: {text}", style))
    table = [(label, text) for label, _, text in values]
    height = max(len(values), 1) * _ROW
    return Plot(name, title, summary, table, height, bars=bars, labels=labels, note=note)


def _fitted(text: str, room: float) -> str:
    """Return a text as much of it as fits, by about how wide its letters are."""
    shown = printable(text, _LONGEST_LABEL)
    for number, letter in enumerate(shown):
        room -= _LETTER if letter < _FIRST_WIDE else _WIDE_LETTER
        if room < 0:
            return f"{shown[: max(number - 1, 0)]}…"
    return shown


def _y(value: float, top: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)


def _grid(top: float) -> tuple[list[Line], list[Label]]:
    lines, labels = [], []
    for number in range(_GRID_LINES + 1):
        value = top * number / _GRID_LINES
        y = _y(value, top)
        lines.append(Line(_LEFT, y, WIDTH - _RIGHT, y))
        labels.append(Label(_LEFT - 5, y + 4, short(value), "end"))
    return lines, labels


def _ceiling(value: float) -> float:
    """Return a round number that is at least a value, whose quarters are round, too."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 4, 8, 10) if factor * power >= value * (1 - 1e-9))


def _exact(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() or value >= 1_000 else f"{value:,.4g}"
