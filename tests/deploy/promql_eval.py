"""Evaluates the alerts over series that a promtool test file gives, so that CI needs no Prometheus.

It knows as much of PromQL as the alerts use, and raises an error for anything else. The file runs in promtool itself
too, which is the reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import promql_parser as promql

Labels: TypeAlias = frozenset[tuple[str, str]]
Vector: TypeAlias = dict[Labels, float]
Points: TypeAlias = list[tuple[float, float]]

LOOKBACK = 300.0
_EXPANDED = re.compile(r"(-?[\d.e]+)(?:([+-])([\d.e]+))?x(\d+)")


def points_of(notation: str, interval: float) -> Points:
    """Returns the samples of promtool's notation: `a b`, `axN` and `a+bxN`."""
    values: list[float] = []
    for part in notation.split():
        if found := _EXPANDED.fullmatch(part):
            begin, sign, step, times = found.groups()
            change = float(f"{sign or '+'}{step or 0}")
            values += [float(begin) + change * number for number in range(int(times) + 1)]
        else:
            values.append(float(part))
    return [(number * interval, value) for number, value in enumerate(values)]


class Series:
    """The given series, and the values of expressions over them."""

    def __init__(self, given: Sequence[Mapping[str, str]], interval: float) -> None:
        self._interval = interval
        self._all: list[tuple[dict[str, str], Points]] = []
        for one in given:
            selector: Any = promql.parse(one["series"])
            labels = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
            self._all.append(({"__name__": selector.name, **labels}, points_of(one["values"], interval)))

    def value(self, node: Any, now: float) -> Vector | float:
        """Returns the value of a parsed expression at a time: a number, or a vector."""
        match node:
            case promql.NumberLiteral():
                return float(node.val)
            case promql.ParenExpr():
                return self.value(node.expr, now)
            case promql.VectorSelector():
                window = self._window(node, now, LOOKBACK)
                return {labels: points[-1][1] for labels, points in window.items()}
            case promql.AggregateExpr():
                return self._aggregate(node, now)
            case promql.Call():
                return self._call(node, now)
            case promql.BinaryExpr():
                return _combined(node, self.value(node.lhs, now), self.value(node.rhs, now))
        raise NotImplementedError(repr(node))

    def _window(self, selector: Any, now: float, seconds: float) -> dict[Labels, Points]:
        found = {}
        for labels, points in self._all:
            if labels["__name__"] == selector.name and _matches(selector, labels):
                # Samples come at the interval, so that the index needs no search.
                last = min(int(now // self._interval), len(points) - 1)
                first = max(0, int((now - seconds) // self._interval) + 1)
                if shown := points[first : last + 1]:
                    found[frozenset((name, text) for name, text in labels.items() if name != "__name__")] = shown
        return found

    def _aggregate(self, node: Any, now: float) -> Vector:
        by = set(node.modifier.labels) if node.modifier is not None else set()
        groups: dict[Labels, list[float]] = {}
        for labels, value in _vector(self.value(node.expr, now)).items():
            groups.setdefault(frozenset(one for one in labels if one[0] in by), []).append(value)
        operations: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}
        operation = operations[str(node.op)]
        return {labels: operation(values) for labels, values in groups.items()}

    def _call(self, node: Any, now: float) -> Vector | float:
        name, arguments = node.func.name, node.args
        if name == "time":
            return now
        if name == "absent":
            return {} if self.value(arguments[0], now) else {frozenset(): 1.0}
        if name == "clamp_min":
            least = _number(self.value(arguments[1], now))
            return {one: max(value, least) for one, value in _vector(self.value(arguments[0], now)).items()}
        if name == "histogram_quantile":
            quantile = _number(self.value(arguments[0], now))
            return _quantiles(quantile, _vector(self.value(arguments[1], now)))
        matrix = arguments[0]
        window = self._window(matrix.vector_selector, now, matrix.range.total_seconds())
        window = {labels: points for labels, points in window.items() if len(points) > 1 or name == "changes"}
        if name == "predict_linear":
            ahead = _number(self.value(arguments[1], now))
            lines = {one: _line(points, now) for one, points in window.items()}
            return {one: value + slope * ahead for one, (value, slope) in lines.items()}
        ranged: dict[str, Callable[[Points], float]] = {
            "rate": _rate,
            "deriv": lambda points: _line(points, now)[1],
            "changes": lambda points: float(sum(a[1] != b[1] for a, b in pairwise(points))),
        }
        return {labels: ranged[name](points) for labels, points in window.items()}


def _matches(selector: Any, labels: Mapping[str, str]) -> bool:
    for one in selector.matchers.matchers:
        here = labels.get(one.name, "")
        operation = str(one.op).rpartition(".")[2]
        if operation == "Equal":
            fits = here == one.value
        elif operation == "Re":
            fits = re.fullmatch(one.value, here) is not None
        else:
            raise NotImplementedError(operation)
        if not fits:
            return False
    return True


def _vector(value: Vector | float) -> Vector:
    assert isinstance(value, dict)
    return value


def _number(value: Vector | float) -> float:
    assert isinstance(value, float)
    return value


def _rate(points: Points) -> float:
    increase = sum(b[1] - a[1] if b[1] >= a[1] else b[1] for a, b in pairwise(points))
    return increase / (points[-1][0] - points[0][0])  # Prometheus extrapolates to the window's ends, and divides by it


def _line(points: Points, now: float) -> tuple[float, float]:
    """Returns the value at `now` and the slope of the regression line."""
    times, values = [at - now for at, _ in points], [value for _, value in points]
    mean_time, mean = sum(times) / len(times), sum(values) / len(values)
    below = sum((at - mean_time) ** 2 for at in times)
    slope = sum((at - mean_time) * (value - mean) for at, value in zip(times, values, strict=True)) / below
    return mean - slope * mean_time, slope


def _quantiles(quantile: float, buckets: Vector) -> Vector:
    groups: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in buckets.items():
        bound = float(dict(labels)["le"].replace("+Inf", "inf"))
        groups.setdefault(frozenset(one for one in labels if one[0] != "le"), []).append((bound, count))
    return {labels: _quantile(quantile, sorted(found)) for labels, found in groups.items()}


def _quantile(quantile: float, buckets: list[tuple[float, float]]) -> float:
    rank, lower, below = quantile * buckets[-1][1], 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below:
            return lower if bound == float("inf") else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return float("nan")


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else float("nan"),
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {">": lambda a, b: a > b, "==": lambda a, b: a == b}


def _combined(node: Any, left: Vector | float, right: Vector | float) -> Vector | float:
    name = str(node.op)
    if name in ("and", "unless"):
        others = _vector(right)
        return {labels: value for labels, value in _vector(left).items() if (labels in others) is (name == "and")}
    if isinstance(left, float) and isinstance(right, float):
        return _ARITHMETIC[name](left, right)
    return dict(_pairwise(name, left, right))


def _pairwise(name: str, left: Vector | float, right: Vector | float) -> Iterator[tuple[Labels, float]]:
    keys = left if isinstance(left, dict) else _vector(right)
    for labels in keys:
        one = left.get(labels) if isinstance(left, dict) else left
        other = right.get(labels) if isinstance(right, dict) else right
        if one is None or other is None:
            continue
        if name in _ARITHMETIC:
            yield labels, _ARITHMETIC[name](one, other)
        elif _COMPARISONS[name](one, other):
            yield labels, one
