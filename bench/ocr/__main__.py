"""`python -m bench.ocr`: measures reading, prints a table and writes bench/OCR_RESULTS.md.

Exits with 1 if a target is missed. The naive loop reads only a part of each set, and is compared on those pages.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from artificer_services.ocr.build import OcrService, build
from artificer_services.ocr.engine import Choices

from .corpus import Sample, digital, scanned
from .peers import naive, ocrmypdf, program_version
from .score import error_rate

_RESULTS = Path(__file__).parent.parent / "OCR_RESULTS.md"


@dataclass(frozen=True, slots=True)
class Row:
    """One tool on one set: wall and CPU seconds per page, character error rate in percent."""

    sample: str
    tool: str
    pages: int
    seconds: float
    cpu: float
    errors: float


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    value: float
    bound: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


async def _read(service: OcrService, pdf: bytes) -> tuple[list[str], float, float]:
    """Returns the texts, the seconds until the first page, and the total seconds."""
    started, first, texts = time.perf_counter(), 0.0, []
    async with aclosing(service.reader.pages(pdf, Choices())) as pages:
        async for page in pages:
            first = first or time.perf_counter() - started
            texts.append(page.text)
    return texts, first, time.perf_counter() - started


def _peer(sample: Sample, tool: str, pages: int, read: Callable[[bytes, int], list[str]]) -> Row:
    started, cpu = time.perf_counter(), _spent()
    texts = read(sample.pdf, pages)
    seconds, cpu = time.perf_counter() - started, _spent() - cpu
    return Row(sample.name, tool, pages, seconds / pages, cpu / pages, error_rate(sample.truths[:pages], texts))


def _spent() -> float:
    """Returns the CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


async def _searchable(service: OcrService, pdf: bytes) -> tuple[float, float]:
    """Makes a searchable document; returns its wall and CPU seconds."""
    started, cpu = time.perf_counter(), _spent_by(service)
    async with aclosing(service.reader.searchable(pdf, Choices())) as pieces:
        size = sum([len(piece) async for piece in pieces])
    assert size > len(pdf), "no text was added"
    return time.perf_counter() - started, _spent_by(service) - cpu


def _spent_by(service: OcrService) -> float:
    """Returns the CPU seconds of this process and of the workers."""
    stats = [Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split() for worker in service.pool.workers]
    workers = sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")
    return workers + time.process_time()


def _peak(service: OcrService) -> float:
    """Returns the most memory that a worker has used so far, in MiB."""
    lines = [
        line for worker in service.pool.workers for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines()
    ]
    return max(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _beside_ocrmypdf(rows: list[Row]) -> list[Target]:
    """Returns, for each set of scans, half of OCRmyPDF's processor time and its error rate as targets."""
    by = {(row.sample, row.tool): row for row in rows}
    targets = []
    for sample in dict.fromkeys(row.sample for row in rows if row.tool == "OCRmyPDF"):
        ours, other = by[sample, "diptych"], by[sample, "OCRmyPDF"]
        targets.append(Target(f"{sample}: CPU, times OCRmyPDF's", ours.cpu / other.cpu, 0.5, False))
        targets.append(Target(f"{sample}: CER %, at most OCRmyPDF's", ours.errors, other.errors, False))
    return targets


async def _measure(say: Callable[[Row], None]) -> tuple[list[Row], list[Target]]:
    sets = [
        (scanned("300 dpi", 300, 8, 1), 3),
        (scanned("200 dpi", 200, 6, 2), 1),
        (scanned("150 dpi", 150, 4, 3), 1),
        (scanned("small print, 7 pt, 300 dpi", 300, 2, 4, size=7), 1),
        (scanned("half born-digital, 200 dpi", 200, 8, 5, between=True), 2),
    ]
    rows: list[Row] = []
    service = build()
    async with service.lifespan():
        await _read(service, sets[0][0].pdf)  # every worker has read a page before the measurement begins
        same = 0.0
        for sample, part in sets:
            cpu = _spent_by(service)
            texts, _, seconds = await _read(service, sample.pdf)
            cpu, count = _spent_by(service) - cpu, len(texts)
            errors = error_rate(sample.truths, texts)
            rows.append(Row(sample.name, "diptych", count, seconds / count, cpu / count, errors))
            if sample is sets[0][0]:
                same = error_rate(sample.truths[:part], texts[:part])
            say(rows[-1])
        seconds, cpu = await _searchable(service, sets[0][0].pdf)
        count = len(sets[0][0].truths)
        rows.append(Row(sets[0][0].name, "diptych, PDF", count, seconds / count, cpu / count, rows[0].errors))
        say(rows[-1])
        digits = digital(200, 6)
        texts, _, _ = await _read(service, digits.pdf)
        cpu = _spent_by(service)
        direct = min([(await _read(service, digits.pdf))[2] / 200 for _ in range(3)])
        direct_cpu = (_spent_by(service) - cpu) / 600
        rows.append(Row(digits.name, "diptych", 200, direct, direct_cpu, error_rate(digits.truths, texts)))
        say(rows[-1])
        single = scanned("one page", 300, 1, 1)
        alone = statistics.median([(await _read(service, single.pdf))[2] for _ in range(3)])
        first = statistics.median([(await _read(service, sets[0][0].pdf))[1] for _ in range(3)])
        peak = _peak(service)
    for sample, part in sets:
        for row in (
            _peer(sample, "OCRmyPDF", len(sample.truths), ocrmypdf),
            _peer(sample, "naive loop", part, naive),
        ):
            rows.append(row)
            say(row)
    by = {(row.sample, row.tool): row for row in rows}
    ours, loop, other, made = (by["300 dpi", tool] for tool in ("diptych", "naive loop", "OCRmyPDF", "diptych, PDF"))
    return rows, [
        Target("300 dpi: times as fast as the naive loop", loop.seconds / ours.seconds, 20, True),
        Target("300 dpi: times as fast as OCRmyPDF", other.seconds / ours.seconds, 2, True),
        Target("300 dpi: CER % on the naive loop's pages, at most its own", same, loop.errors, False),
        Target("200 dpi: CER %", by["200 dpi", "diptych"].errors, 1.2, False),
        Target("born-digital page: ms", direct * 1000, 3, False),
        Target("born-digital pages a second", 1 / direct, 200, True),
        Target("peak memory of a worker, MiB", peak, 1024, False),
        Target("300 dpi: searchable PDF, CPU, times OCRmyPDF's", made.cpu / other.cpu, 0.5, False),
        Target("first streamed page of 8: times one page alone", first / alone, 1.5, False),
        *_beside_ocrmypdf(rows),
    ]


def _report(rows: list[Row], targets: list[Target], took: float, load: float) -> str:
    loops = {row.sample: row.seconds for row in rows if row.tool == "naive loop"}
    lines = [
        "# Reading documents: measured",
        "",
        f"`make bench-ocr` wrote this in {took:.0f} s: {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, load {load:.1f} at the start. Seconds a page are wall time; CPU is what all "
        "processes spent. CER is the character error rate against text that the benchmark rendered itself. The naive "
        "loop (PyMuPDF at 300 dpi in colour, PNG, pytesseract, one after another; "
        f"{program_version()}) reads the first pages of each set only. OCRmyPDF runs `-O0 --output-type pdf` "
        'and writes a searchable PDF besides; the rows "diptych, PDF" are of `MakeSearchablePDF`.',
        "",
        "| set | tool | pages | s/page | CPU s/page | CER % | × naive |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in sorted(rows, key=lambda row: [each.sample for each in rows].index(row.sample)):
        times = f"{loops[row.sample] / row.seconds:.1f}" if row.sample in loops else ""
        lines.append(
            f"| {row.sample} | {row.tool} | {row.pages} | {row.seconds:.4f} | {row.cpu:.4f} "
            f"| {row.errors:.2f} | {times} |"
        )
    lines += ["", "| target | measured | bound | met |", "|---|---:|---:|---|"]
    for each in targets:
        sign = "≥" if each.at_least else "≤"
        lines.append(f"| {each.name} | {each.value:.2f} | {sign} {each.bound:.2f} | {'yes' if each.met else 'NO'} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measures, prints and writes; returns 1 if a target is missed."""
    started, load = time.perf_counter(), os.getloadavg()[0]
    rows, targets = asyncio.run(
        _measure(
            lambda row: print(
                f"{row.sample:28} {row.tool:12} {row.seconds:8.4f} s/page {row.cpu:8.4f} CPU {row.errors:6.2f} %"
            )
        )
    )
    report = _report(rows, targets, time.perf_counter() - started, load)
    print(f"\n{report}")
    _RESULTS.write_text(report)
    return 0 if all(target.met for target in targets) else 1


if __name__ == "__main__":
    sys.exit(main())
