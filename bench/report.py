"""The table of ratios and the performance budgets, as Markdown that is also readable in a terminal.

It knows no server: it turns measurements into text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.match import FEW, MANY
from bench.records import UPLOAD_BYTES
from bench.request import Result
from bench.scenarios import DIPTYCH, ENVOY, GRPC_AIO, JSON_UPLOAD, PYDANTIC, RAW, RAW_UPLOAD, UNARY, Measured
from bench.slow import UPLOADS_AT_ONCE

# In bodies: the received pieces, the joined body, the message's copy, and the base64 of a JSON body.
MEMORY_FACTOR = 4.0
GET, POST, LIST = UNARY
BODY_MIB = UPLOAD_BYTES / 1024 / 1024


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table with its columns aligned."""
    every = [list(head), *map(list, rows)]
    widths = [max(len(row[at]) for row in every) for at in range(len(head))]
    for number, row in enumerate(every):
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            rules = ["-" * width if at == 0 else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
            yield f"| {' | '.join(rules)} |"


def _load_rows(results: dict[str, Result], first: str) -> Iterator[list[str]]:
    own = results[first]
    for name, one in results.items():
        yield [
            name,
            f"{one.rate:,.0f}",
            f"{own.rate / one.rate:.2f}",
            f"{one.p50:.2f}",
            f"{one.p99:.2f}",
            f"{one.cpu:.0f}",
            f"{one.cpu / own.cpu:.2f}",
        ]


_LOAD = ("requests/s", "Diptych ÷ it", "p50 ms", "p99 ms", "CPU µs/request", "its CPU ÷ Diptych's")


def budgets(measured: Measured) -> list[tuple[str, ...]]:
    """Returns each budget: its name, the bound, the ratios by CPU time and by rate, and whether it is held.

    Load is judged by CPU time per request. A rate also depends on how the kernel shared the core with other processes,
    and raw ASGI may not fill its core, so that its rate understates it. The table has both ratios.
    """
    http = measured.http

    def over(what: str, bound: float, scenario: str, peer: str) -> tuple[str, ...]:
        own, other = http[scenario][DIPTYCH], http[scenario][peer]
        found = other.cpu / own.cpu
        return what, f"≥ {bound:g} ×", f"{found:.2f} ×", f"{own.rate / other.rate:.2f} ×", _mark(found >= bound)

    few, many = measured.routes[FEW], measured.routes[MANY]
    whole = many.cpu / few.cpu
    return [
        over("unary REST of raw ASGI", 0.5, GET, RAW),
        over("unary REST over hand-written FastAPI", 2.0, GET, PYDANTIC),
        over("unary REST over Envoy → grpc.aio", 8.0, GET, ENVOY),
        over("POST over hand-written FastAPI", 1.0, POST, PYDANTIC),
        over("list over hand-written FastAPI", 1.0, LIST, PYDANTIC),
        _at_most(f"a match among {MANY:,} routes, of one among {FEW}", 1.2, measured.match[MANY] / measured.match[FEW]),
        (
            f"a request among {MANY:,} routes, of one among {FEW}",
            *("≤ 1.2 ×", f"{whole:.2f} ×", f"{few.rate / many.rate:.2f} ×", _mark(whole <= 1.2)),
        ),
        *(
            _at_most(f"peak memory an upload, in bodies ({name})", MEMORY_FACTOR, results[DIPTYCH].memory / BODY_MIB)
            for name, results in measured.uploads.items()
        ),
    ]


def _at_most(what: str, bound: float, found: float) -> tuple[str, ...]:
    return what, f"≤ {bound:g} ×", f"{found:.2f} ×", "", _mark(found <= bound)


def _mark(held: bool) -> str:
    return "held" if held else "MISSED"


def report(measured: Measured, machine: Iterable[tuple[str, str]], how: str) -> str:
    """Returns the whole text."""
    return "\n".join(_lines(measured, machine, how)) + "\n"


def _lines(measured: Measured, machine: Iterable[tuple[str, str]], how: str) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield "Written by `make bench`. Compare only ratios within one run: the machine may have other work."
    yield (
        "CPU µs/request is the servers' own processor time. Other work on the machine affects it less than the rate."
    )
    yield ""
    yield from (f"- {name}: {value}" for name, value in machine)
    yield f"- How: {how}"
    yield from _section("Budgets")
    yield from table(("budget", "bound", "measured", "by rate", ""), budgets(measured))
    for name, results in measured.http.items():
        yield from _section(name)
        yield from table(("server", *_LOAD), _load_rows(results, DIPTYCH))
    for name, results in measured.grpc.items():
        yield from _section(f"gRPC {name}")
        yield from table(
            ("server", *_LOAD), _load_rows({DIPTYCH: results[DIPTYCH], GRPC_AIO: results[GRPC_AIO]}, DIPTYCH)
        )
    yield from _section("Routes")
    rows = [
        [
            f"{size:,}",
            f"{measured.match[size]:.2f}",
            f"{one.rate:,.0f}",
            f"{one.p50:.2f}",
            f"{one.p99:.2f}",
            f"{one.cpu:.0f}",
        ]
        for size, one in measured.routes.items()
    ]
    yield from table(("routes", "match alone µs", "requests/s", "p50 ms", "p99 ms", "CPU µs/request"), rows)
    yield from _section("Uploads of 16 MiB")
    both = (measured.uploads[RAW_UPLOAD], measured.uploads[JSON_UPLOAD])
    uploads = (
        [name, *(cell for one in both for cell in (f"{one[name].seconds * 1e3:.0f}", f"{one[name].memory:.0f}"))]
        for name in both[0]
    )
    yield from table(("server", "raw ms", "raw MiB each", "JSON ms", "JSON MiB each"), uploads)
    yield ""
    yield f"MiB each: how much each of {UPLOADS_AT_ONCE} concurrent uploads adds to the peak. Raw ASGI discards bodies."
    yield from _section("First message of a stream")
    own = measured.streams[DIPTYCH]
    streams = (
        [name, f"{one.p50:.2f}", f"{one.p99:.2f}", f"{one.p50 / own.p50:.2f}"] for name, one in measured.streams.items()
    )
    yield from table(("server", "p50 ms", "p99 ms", "its p50 ÷ Diptych's"), streams)
    yield from _section("Peak memory of the processes after the unary scenarios")
    peaks = ([name, f"{one:.0f}", f"{one / measured.peaks[DIPTYCH]:.2f}"] for name, one in measured.peaks.items())
    yield from table(("server", "MiB", "÷ Diptych's"), peaks)


def _section(title: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")
