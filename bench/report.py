"""The whole report of `make bench` as Markdown. It knows no server: it turns measurements into text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.budgets import HEAD, budgets
from bench.markdown import section, table
from bench.peers import DIPTYCH
from bench.plan import FIRST, LINES, ROUTES, UPLOADS
from bench.request import Result
from bench.scenarios import JSON_UPLOAD, RAW_UPLOAD, Measured
from bench.slow import UPLOADS_AT_ONCE

_LOAD = ("server", "CPU µs", "least", "÷ Diptych's", "requests/s", "Diptych ÷ it", "p50 ms", "p99 ms")


def report(measured: Measured, about: Iterable[tuple[str, str]]) -> str:
    """Returns the whole text."""
    return "\n".join(_lines(measured, about)) + "\n"


def _lines(measured: Measured, about: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield "Written by `make bench`. Compare only ratios within one run: the machine may have other work."
    yield "CPU µs is the processor time that all processes of a server took for one request: the median of the rounds,"
    yield "and the least. Other work on the machine affects it less than the rate."
    yield ""
    yield from (f"- {name}: {value}" for name, value in about)
    yield from (f"- Not measured: {name}, since {why}" for name, why in measured.missing.items())
    held = list(budgets(measured))
    if held:
        yield from section("Budgets")
        yield from table(HEAD, held)
    for name, results in measured.load.items():
        yield from section(name)
        if name == LINES:
            yield from _stream(results)
        else:
            yield from table(_LOAD, _load_rows(results))
    if measured.routes:
        yield from _routes(measured)
    if measured.uploads:
        yield from _uploads(measured)
    if measured.streams:
        yield from _first(measured.streams)
    if measured.peaks:
        yield from _memory(measured)


def _load_rows(results: dict[str, Result]) -> Iterator[list[str]]:
    own = results[DIPTYCH]
    for name, one in results.items():
        cpu = [f"{one.cpu:,.1f}", f"{one.cpu_least:,.1f}", f"{one.cpu / own.cpu:.2f}"]
        yield [name, *cpu, f"{one.rate:,.0f}", f"{own.rate / one.rate:.2f}", f"{one.p50:.2f}", f"{one.p99:.2f}"]


def _stream(results: dict[str, Result]) -> Iterator[str]:
    own = results[DIPTYCH]
    rows = (
        [name, f"{one.cpu:.2f}", f"{one.cpu_least:.2f}", f"{one.cpu / own.cpu:.2f}", f"{one.rate:,.0f}"]
        for name, one in results.items()
    )
    yield from table(("server", "CPU µs", "least", "÷ Diptych's", "messages/s"), rows)


def _routes(measured: Measured) -> Iterator[str]:
    yield from section(ROUTES)
    rows = (
        [f"{size:,}", f"{measured.match[size]:.2f}", f"{one.cpu:.1f}", f"{one.cpu_least:.1f}", f"{one.rate:,.0f}"]
        for size, one in measured.routes.items()
    )
    yield from table(("routes", "match alone µs", "CPU µs", "least", "requests/s"), rows)


def _uploads(measured: Measured) -> Iterator[str]:
    yield from section(UPLOADS)
    both = (measured.uploads[RAW_UPLOAD], measured.uploads[JSON_UPLOAD])
    uploads = (
        [name, *(cell for one in both for cell in (f"{one[name].seconds * 1e3:.0f}", f"{one[name].memory:.0f}"))]
        for name in both[0]
    )
    yield from table(("server", "raw ms", "raw MiB each", "JSON ms", "JSON MiB each"), uploads)
    yield ""
    yield f"MiB each: how much each of {UPLOADS_AT_ONCE} concurrent uploads adds to the peak. Raw ASGI discards bodies."


def _first(results: dict[str, Result]) -> Iterator[str]:
    yield from section(FIRST)
    own = results[DIPTYCH]
    rows = ([name, f"{one.p50:.2f}", f"{one.p99:.2f}", f"{one.p50 / own.p50:.2f}"] for name, one in results.items())
    yield from table(("server", "p50 ms", "p99 ms", "its p50 ÷ Diptych's"), rows)


def _memory(measured: Measured) -> Iterator[str]:
    yield from section("Memory of all processes")
    rows = (
        [name, f"{measured.idle[name]:.0f}", f"{peak:.0f}", f"{peak / measured.peaks[DIPTYCH]:.2f}"]
        for name, peak in measured.peaks.items()
    )
    yield from table(("server", "MiB idle", "MiB at most, unary calls", "÷ Diptych's"), rows)
