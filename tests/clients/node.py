"""The JavaScript clients in one node process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.clients.driver import Driver
from tests.clients.ready import HERE, make_ready

_LINE = 64 * 1024 * 1024
"""The longest event in bytes: a message in base64."""


@asynccontextmanager
async def node_driver() -> AsyncIterator[Driver]:
    """Runs a driver as a process, which ends when its stdin closes."""
    await asyncio.to_thread(make_ready)
    process = await asyncio.create_subprocess_exec(
        *("node", "--no-warnings", "src/node.js"),
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE,
    )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None

    async def send(line: str) -> None:
        stdin.write(line.encode() + b"\n")
        await stdin.drain()

    driver = Driver(send)

    async def listen() -> None:
        async for line in stdout:
            driver.hear(line.decode())
        driver.fail("node has ended")

    listening = asyncio.ensure_future(listen())
    try:
        yield driver
    finally:
        stdin.close()
        await listening
        assert await process.wait() == 0
