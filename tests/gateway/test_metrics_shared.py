"""Metrics of several workers: each serves those of all, counters survive their worker, and nothing is counted twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from tests.conftest import Serve

# A worker that has counted `calls`, and reports on its standard output that its file is written.
_WORKER = """
import sys
from pathlib import Path
from prometheus_client import CollectorRegistry, Counter, Gauge
from diptych.telemetry.multiprocess import SharedMetrics
folder, worker, calls, end = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
registry = CollectorRegistry()
Counter("calls", "Calls.", ["code"], registry=registry).labels("OK").inc(calls)
Gauge("running", "Running.", registry=registry).set(calls)
shared = SharedMetrics(registry.collect, folder, worker)
shared.open()
print("written", flush=True)
sys.stdin.readline()
if end == "close":
    shared.close()
"""


def _worker(folder: Path, name: str, calls: int, end: str = "close") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(folder), name, str(calls), end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def _end(process: subprocess.Popen[str], *, kill: bool = False) -> None:
    if kill:
        process.send_signal(signal.SIGKILL)
    process.communicate("\n" if not kill else None, timeout=30)


async def _values(http: httpx2.AsyncClient) -> dict[str, float]:
    text = (await http.get("/metrics")).text
    found: dict[str, float] = {}
    for family in families(text):
        for sample in family.samples:
            name = f"{sample.name}{{{sample.labels['worker']}}}" if "worker" in sample.labels else sample.name
            assert name not in found or sample.labels, name
            found[name] = found.get(name, 0) + sample.value
    return found


async def test_a_worker_serves_the_metrics_of_all_including_ended_ones(serve: Serve, tmp_path: Path) -> None:
    others = [await asyncio.to_thread(_worker, tmp_path, "1", 3), await asyncio.to_thread(_worker, tmp_path, "2", 4)]
    async with serve(telemetry={"metrics_dir": tmp_path, "worker": "0"}) as served:
        await served.http.get("/v1/dishes/1")
        first = await _values(served.http)
        assert first["calls_total"] == 7
        assert first["grpc_server_started_total"] == 1
        assert (first["running{1}"], first["running{2}"]) == (3, 4)
        assert first["process_resident_memory_bytes{0}"] > 0
        await asyncio.to_thread(_end, others[0])
        await asyncio.to_thread(_end, others[1], kill=True)
        second = await _values(served.http)
        assert second["calls_total"] == 7
        assert "running{1}" not in second
        assert "running{2}" not in second


async def test_a_replacement_worker_continues_the_counters(serve: Serve, tmp_path: Path) -> None:
    for calls in (1, 2, 3):
        _end(await asyncio.to_thread(_worker, tmp_path, "1", calls), kill=calls == 2)
    async with serve(telemetry={"metrics_dir": tmp_path, "worker": "1"}) as served:
        assert (await _values(served.http))["calls_total"] == 6
        files = set(os.listdir(tmp_path))  # on the loop, which writes a temporary file every second
    assert files == {"folded.json", "folding.lock", f"1-{os.getpid()}.json", f"1-{os.getpid()}.lock"}


async def test_counters_never_decrease_between_workers(serve: Serve, tmp_path: Path) -> None:
    async with serve(telemetry={"metrics_dir": tmp_path / "shared", "worker": "0"}) as one:
        other = await asyncio.to_thread(_worker, tmp_path / "shared", "1", 5)
        told = []
        for _ in range(5):
            await one.http.get("/v1/dishes/1")
            told.append((await _values(one.http))["grpc_server_started_total"])
        assert told == [1, 2, 3, 4, 5]
        # By then the counters of this scrape are in the file, for the worker that serves the next one.
        written = (tmp_path / "shared" / f"0-{os.getpid()}.json").read_text()
        assert '"grpc_server_started_total"' in written
        await asyncio.to_thread(_end, other)


@pytest.mark.parametrize("broken", ["", "[", '{"a": 1}'])
async def test_a_broken_file_does_not_affect_others(serve: Serve, tmp_path: Path, broken: str) -> None:
    (tmp_path / "9-1.json").write_text(broken)
    async with serve(telemetry={"metrics_dir": tmp_path, "worker": "0"}) as served:
        await served.http.get("/v1/dishes/1")
        assert (await _values(served.http))["grpc_server_started_total"] == 1
