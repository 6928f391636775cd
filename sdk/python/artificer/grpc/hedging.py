"""Hedged calls: a slow call of a safe method is sent again, to another connection, and the first answer counts.

gRPC's core, on which grpcio is built, ignores the `hedgingPolicy` of a service config, so it is done here.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import grpc

from .pool import Connection
from .safe import safe_methods


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgingPolicy:
    """Hedging of unary calls (gRFC A6). Every attempt is a call that the server carries out and counts."""

    delay: float
    """Seconds without an answer until the next attempt is sent."""
    attempts: int = 2
    """Most attempts of one call, the first included."""
    codes: Collection[grpc.StatusCode] = (grpc.StatusCode.UNAVAILABLE,)
    """With these an attempt has failed without an answer: the next is sent at once. Other errors end the call."""
    methods: Collection[str] = field(default_factory=safe_methods)
    """The methods that are hedged, as `package.Service/Method`. They must be safe to call twice."""

    def __post_init__(self) -> None:
        if self.delay < 0 or not 2 <= self.attempts <= 5:
            raise ValueError("delay must not be negative, and attempts from 2 to 5; `hedging=None` turns hedging off")

    def covers(self, method: str) -> bool:
        """Whether calls of `/package.Service/Method` are hedged."""
        return method.strip("/") in self.methods


Start = Callable[[Connection[Any] | None], tuple[Connection[Any], Any]]


def remaining(timeout: float | None) -> Callable[[], float | None]:
    """Returns a function that says how much of a time-out is left: all attempts of a call share it."""
    if timeout is None:
        return lambda: None
    end = time.monotonic() + timeout
    return lambda: max(0.0, end - time.monotonic())


def hedged(policy: HedgingPolicy, start: Start) -> Any:
    """Returns the first call that answered, or the last that failed. `start` begins a call beside a connection."""
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    calls: list[Any] = []
    beside: Connection[Any] | None = None
    ended = 0
    try:
        while True:
            if len(calls) < policy.attempts:
                beside, call = start(beside)
                calls.append(call)
                call.add_done_callback(done.put)
            try:
                first = done.get(timeout=policy.delay if len(calls) < policy.attempts else None)
            except queue.Empty:
                continue
            ended += 1
            if first.code() not in policy.codes or ended == policy.attempts:
                return first
    finally:
        for call in calls:
            call.cancel()


async def hedged_async(policy: HedgingPolicy, start: Start) -> Any:
    """As `hedged`, with calls of grpc.aio."""
    calls: list[Any] = []
    waiting: set[asyncio.Task[grpc.StatusCode]] = set()
    beside: Connection[Any] | None = None
    by_task: dict[asyncio.Task[grpc.StatusCode], Any] = {}
    ended = 0
    try:
        while True:
            if len(calls) < policy.attempts:
                beside, call = start(beside)
                calls.append(call)
                task = asyncio.ensure_future(call.code())
                by_task[task] = call
                waiting.add(task)
            patience = policy.delay if len(calls) < policy.attempts else None
            over, waiting = await asyncio.wait(waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in over:
                ended += 1
                if task.result() not in policy.codes or ended == policy.attempts:
                    return by_task[task]
    finally:
        for call in calls:
            call.cancel()
        for task in waiting:
            task.cancel()
