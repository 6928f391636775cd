"""Runs what takes long for a large body in a thread, so that the event loop serves others meanwhile.

It knows no message. The codings and the JSON engine in Rust need no lock of the interpreter for a large body;
protobuf-py, which is used without that engine, keeps it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

LARGE_BYTES = 256 * 1024
"""A smaller body is decoded or compressed at once: within milliseconds, and in less time than a change of threads may
take."""


async def aside(size: int, work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Returns what `work` returns for a body of `size` bytes."""
    return work(*arguments) if size < LARGE_BYTES else await asyncio.to_thread(work, *arguments)
