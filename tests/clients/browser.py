"""The browser clients in one page of a headless Chromium, whose origin differs from the gateway's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chromium import chromium_in
from tests.clients.driver import Driver
from tests.clients.ready import HERE, make_ready

_PAGE = b'<!doctype html><meta charset="utf-8"><title>clients</title><link rel="icon" href="data:,"><body>'


@dataclass(frozen=True)
class PageServer:
    """Serves one empty page from a separate origin."""

    origin: str


@asynccontextmanager
async def page_server() -> AsyncIterator[PageServer]:
    """Serves the page on a separate port and yields its origin."""

    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(_PAGE)}\r\nconnection: close\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head.encode() + _PAGE)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # browsers open connections in advance and close unneeded ones
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield PageServer(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def _bundle() -> str:
    process = await asyncio.create_subprocess_exec(
        *("node_modules/.bin/esbuild", "src/browser.js", "--bundle", "--format=iife", "--log-level=error"),
        cwd=HERE,
        stdout=asyncio.subprocess.PIPE,
    )
    bundle, _ = await process.communicate()
    assert process.returncode == 0
    return bundle.decode()


@asynccontextmanager
async def page_driver(origin: str, profile: Path) -> AsyncIterator[Driver]:
    """Runs a driver in a page of `origin`; `profile` is the browser's folder."""
    await asyncio.to_thread(make_ready)
    bundle = await _bundle()
    async with chromium_in(profile) as context:
        page = await context.new_page()

        async def send(line: str) -> None:
            await page.evaluate("line => drive(line)", line)

        driver = Driver(send)

        def report(lines: str) -> None:
            for line in lines.split("\n"):
                driver.hear(line)

        page.on("pageerror", lambda error: driver.fail(str(error)))
        await page.expose_function("report", report)
        await page.goto(origin)
        await page.add_script_tag(content=bundle)
        yield driver
