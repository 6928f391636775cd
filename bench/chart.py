"""Charts as SVG: lines over logarithmic axes, and bars.

It knows no measurement. The text uses the viewer's fonts, and the background is white, so that a chart is readable in
light and dark Markdown viewers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 72, 190, 48, 52
# Okabe and Ito's colours, which people with colour blindness can tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
GREY = "#999999"
_BETWEEN_LABELS = 15.0
_BAR, _GAP = 18, 10


def lines(
    title: str, x_title: str, y_title: str, x_names: Mapping[int, str], series: Mapping[str, Mapping[int, float]]
) -> str:
    """Draws each series, positive values by positive x, with its name at its end. `x_names` are the x axis' marks."""
    svg = _canvas(title, HEIGHT)
    marks = _marks([value for one in series.values() for value in one.values()])
    x = _Log(min(x_names), max(x_names), LEFT, WIDTH - RIGHT)
    y = _Log(marks[0], marks[-1], HEIGHT - BOTTOM, TOP)
    for mark in marks:
        _line(svg, [(LEFT, y.at(mark)), (WIDTH - RIGHT, y.at(mark))], GREY, width=0.5)
        _text(svg, LEFT - 8, y.at(mark) + 4, f"{mark:,.10g}", anchor="end")
    for value, name in x_names.items():
        _line(svg, [(x.at(value), HEIGHT - BOTTOM), (x.at(value), HEIGHT - BOTTOM + 5)], GREY)
        _text(svg, x.at(value), HEIGHT - BOTTOM + 20, name)
    _text(svg, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_title)
    _text(svg, LEFT - 8, TOP - 12, y_title, anchor="end")
    ends = {name: y.at(list(one.values())[-1]) for name, one in series.items()}
    places = _apart(ends)
    for (name, one), colour in zip(series.items(), COLOURS, strict=False):
        points = [(x.at(at), y.at(value)) for at, value in one.items()]
        _line(svg, points, colour, width=2)
        for at, (left, top) in zip(one, points, strict=True):
            dot = ET.SubElement(svg, "circle", cx=_n(left), cy=_n(top), r="3", fill=colour)
            ET.SubElement(dot, "title").text = f"{name}: {one[at]:,.4g} at {x_names.get(at, at)}"
        _text(svg, points[-1][0] + 10, places[name] + 4, name, anchor="start", colour=colour)
    return _written(svg)


def bars(title: str, x_title: str, values: Mapping[str, float]) -> str:
    """Draws one bar for each positive value, from zero, with its name and its value."""
    height = TOP + len(values) * (_BAR + _GAP) + BOTTOM - 20
    svg = _canvas(title, height)
    left, most = 190, max(values.values())
    for row, (name, value) in enumerate(values.items()):
        top, length = TOP + row * (_BAR + _GAP), (WIDTH - left - 90) * value / most
        size = {"x": _n(left), "y": _n(top), "width": _n(length), "height": _n(_BAR)}
        ET.SubElement(svg, "rect", size, fill=COLOURS[0])
        _text(svg, left - 8, top + 14, name, anchor="end")
        _text(svg, left + length + 8, top + 14, f"{value:,.0f}", anchor="start")
    _text(svg, left, height - 10, x_title, anchor="start")
    return _written(svg)


class _Log:
    """A logarithmic scale from one range of values to one of pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = math.log(low), start
        self._factor = (end - start) / ((math.log(high) - self._low) or 1.0)

    def at(self, value: float) -> float:
        return self._start + (math.log(value) - self._low) * self._factor


def _marks(values: Sequence[float]) -> list[float]:
    """Returns 1, 2 and 5 times powers of ten around the values; only the powers, if they span more than three."""
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = (1.0,) if last - first > 3 else (1.0, 2.0, 5.0)
    every = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    low = max((mark for mark in every if mark <= min(values)), default=every[0])
    high = min((mark for mark in every if mark >= max(values)), default=every[-1])
    marks = [mark for mark in every if low <= mark <= high]
    return marks if len(marks) > 1 else [low, low * 10]


def _apart(ends: Mapping[str, float]) -> dict[str, float]:
    """Returns the places of labels, from the top, none closer to another than a line of text."""
    places: dict[str, float] = {}
    last = -math.inf
    for name, end in sorted(ends.items(), key=lambda pair: pair[1]):
        last = places[name] = max(end, last + _BETWEEN_LABELS)
    return places


def _canvas(title: str, height: float) -> ET.Element:
    font = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
    size = f"0 0 {WIDTH} {_n(height)}"
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": size, "font-family": font})
    ET.SubElement(svg, "rect", width="100%", height="100%", fill="white")
    ET.SubElement(svg, "title").text = title
    _text(svg, WIDTH / 2, 22, title, size=15)
    return svg


def _line(svg: ET.Element, points: Sequence[tuple[float, float]], colour: str, *, width: float = 1) -> None:
    where = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
    ET.SubElement(svg, "polyline", {"points": where, "fill": "none", "stroke": colour, "stroke-width": _n(width)})


def _text(
    svg: ET.Element, x: float, y: float, text: str, *, anchor: str = "middle", colour: str = "#222222", size: int = 12
) -> None:
    place = {"x": _n(x), "y": _n(y), "text-anchor": anchor, "font-size": str(size), "fill": colour}
    ET.SubElement(svg, "text", place).text = text


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _written(svg: ET.Element) -> str:
    ET.indent(svg)
    return ET.tostring(svg, encoding="unicode") + "\n"
