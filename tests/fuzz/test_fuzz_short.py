"""The short form of `make fuzz`: a few inputs of every kind leave the server as before."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from .judge import Input, Judge
from .run import SHARES, run

INPUT = Input("rest", 1, b"GET /")


async def test_inputs_of_every_kind_find_no_fault(tmp_path: Path) -> None:
    seed = random.getrandbits(32)  # pytest prints its own seed, from which this one derives
    report = await run(500, seed, tmp_path, only=None, examples=0, say=lambda _: None)
    assert not report.judge.faults, f"seed {seed}:\n" + "\n".join(report.judge.faults[:5])
    assert report.thrown.keys() == SHARES.keys()
    assert all(place.after is not None for place in report.places)


def test_the_judge_reports_unintended_failures() -> None:
    judge = Judge()
    judge.http(INPUT, 500, b"Internal Server Error")
    judge.http(INPUT, 503, b"{}")
    judge.call(INPUT, "UNKNOWN", "")
    judge.http(INPUT, 400, b"Traceback (most recent call last)")
    judge.log('{"level": "error", "event": "Task exception was never retrieved", "logger": "asyncio"}')
    judge.log("Segmentation fault")
    assert len(judge.faults) == 6
    judge.http(INPUT, 500, b'{"error": {"message": "internal error, id 0123456789abcdef"}}')
    assert len(judge.faults) == 6, "the log will say whose it was"
    judge.log('{"level": "error", "event": "unexpected error 0123456789abcdef in /a.B/C", "exception": "KeyError"}')
    assert "KeyError" in judge.faults[-1]
    assert str(INPUT) in judge.faults[-1]


def test_the_judge_accepts_intended_failures() -> None:
    judge = Judge()
    judge.http(INPUT, 500, b'{"error": {"message": "meant: x"}}')
    judge.http(INPUT, 501, b"{}")
    judge.http(INPUT, 504, b"{}")
    judge.call(INPUT, "INTERNAL", "truncated request: the last message is incomplete")
    judge.log('{"level": "error", "event": "unexpected error 0123456789abcdef in /kitchen.v1.KitchenService/Fail"}')
    judge.log('{"level": "warning", "event": "Invalid HTTP request received.", "logger": "uvicorn.error"}')
    assert not judge.faults
    assert judge.expected_errors == 1
    assert judge.seen["rest"] == Counter({"500": 1, "501": 1, "504": 1, "INTERNAL": 1})
