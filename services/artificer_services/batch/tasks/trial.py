"""test.trial: a task for tests that follows orders, crashing and hanging included. Offered only by setting.

An item's orders are the phase's parameters, its metadata, and its input if that is a JSON object; the later ones win.
An order `ocr.do` applies to the phase `ocr` only.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .api import Output, PhaseView, Rejected, TaskError, Work

NAME = "test.trial"
ORDERS = {
    "do": "ok, fail, reject, raise, crash (SIGKILL), exit, stop (SIGSTOP), hang, freeze (holding the interpreter)",
    "seconds": "wait first",
    "deaf": "wait without listening to cancellation, as a C library would",
    "times": "wait and do so only in this many first attempts",
    "log": "write this many lines",
    "output": "what to return; the input if it is missing",
    "bytes": "return this many bytes",
    "score": "a number",
    "tokens": "a number",
    "cost": "US dollars",
}
_NUMBERS = {"times", "seconds", "log", "bytes", "score", "tokens", "cost"}


@dataclass(slots=True)
class Trial:
    """The task. `effects` names a file that gets a line per finished run: effect key, attempt, process."""

    effects: str = ""
    name: str = NAME
    description: str = "For tests: follows the orders in parameters, metadata and input; returns its input."
    scored: bool = True
    takes: Literal["text", "document"] = "text"
    timeout: float | None = None

    def check(self, phase: PhaseView) -> list[tuple[str, str]]:
        """See `Task`."""
        faults = []
        for name, value in phase.parameters.items():
            order = name.rpartition(".")[2]
            if order not in ORDERS:
                faults.append((f"parameters.{name}", f"must be one of {', '.join(ORDERS)}"))
            elif order in _NUMBERS and not _is_number(value):
                faults.append((f"parameters.{name}", "must be a number"))
            elif order == "do" and value not in _DEEDS:
                faults.append((f"parameters.{name}", f"must be one of {', '.join(_DEEDS)}"))
        return faults

    def run(self, work: Work) -> Output:
        """See `Task`."""
        orders = _orders(work)
        if not orders:
            self._effect(work)
            return Output(text=work.input)
        for number in range(int(orders.get("log", 0))):
            work.log(logging.INFO, f"line {number} of attempt {work.attempt}")
        tokens, cost = int(orders.get("tokens", 0)), float(orders.get("cost", 0))
        if work.attempt <= float(orders.get("times", "inf")):
            _wait(work, float(orders.get("seconds", 0)), deaf=str(orders.get("deaf", "")).lower() in ("true", "1"))
            deed = str(orders.get("do", "ok"))
            _DEEDS[deed](f"told to {deed}, attempt {work.attempt}", tokens, cost)
        self._effect(work)
        score = float(orders["score"]) if "score" in orders else None
        return Output(text=_text(orders, work), score=score, tokens=tokens, cost=cost)

    def close(self) -> None:
        """See `Task`."""

    def _effect(self, work: Work) -> None:
        if not self.effects:
            return
        line = f"{work.effect_key} {work.attempt} {os.getpid()}\n"
        file = os.open(self.effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())  # one write, so that lines of several processes do not interleave
        finally:
            os.close(file)


def trial(settings: Mapping[str, Any]) -> Trial:
    """Make the task. Its only setting is `effects`."""
    return Trial(effects=str(settings.get(NAME, {}).get("effects", "")))


def _orders(work: Work) -> dict[str, Any]:
    orders: dict[str, Any] = {}
    if work.phase.parameters or work.metadata:
        orders.update(work.phase.parameters)
        orders.update(work.metadata)
    if work.item_input.startswith("{"):
        orders.update(json.loads(work.item_input))
    if not orders:
        return orders
    prefix = f"{work.phase.name}."
    own = {name.removeprefix(prefix): value for name, value in orders.items() if name.startswith(prefix)}
    return {name: value for name, value in orders.items() if "." not in name} | own


def _wait(work: Work, seconds: float, *, deaf: bool) -> None:
    if seconds and deaf:
        time.sleep(seconds)
    elif seconds and work.cancelled.wait(seconds):
        raise TaskError("was cancelled")


def _text(orders: Mapping[str, Any], work: Work) -> str:
    if "bytes" in orders:
        return "x" * int(orders["bytes"])
    return str(orders.get("output", work.input))


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _ok(reason: str, tokens: int, cost: float) -> None:
    """Succeed."""


def _fail(reason: str, tokens: int, cost: float) -> None:
    raise TaskError(reason, tokens=tokens, cost=cost)


def _reject(reason: str, tokens: int, cost: float) -> None:
    raise Rejected(reason, tokens=tokens, cost=cost)


def _raise(reason: str, tokens: int, cost: float) -> None:
    raise RuntimeError(f"{reason}: not for everybody's eyes")


def _crash(reason: str, tokens: int, cost: float) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exit(reason: str, tokens: int, cost: float) -> None:
    os._exit(3)


def _stop(reason: str, tokens: int, cost: float) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _hang(reason: str, tokens: int, cost: float) -> None:
    while True:
        time.sleep(3600)


def _freeze(reason: str, tokens: int, cost: float) -> None:
    libc = ctypes.PyDLL(None)  # a PyDLL keeps the GIL, so that no other thread runs
    while True:
        libc.sleep(3600)


_DEEDS: dict[str, Callable[[str, int, float], None]] = {
    "ok": _ok,
    "fail": _fail,
    "reject": _reject,
    "raise": _raise,
    "crash": _crash,
    "exit": _exit,
    "stop": _stop,
    "hang": _hang,
    "freeze": _freeze,
}
