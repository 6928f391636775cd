"""A stream that fails midway, as real clients read it: curl, Node, Go and Chromium, directly and through nginx.

Each of them saw the error in some of the cases only while it was followed by a reset or a close.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from kitchen.v1 import kitchen_service_pb2 as pb
from tests.certificates import Authority, settings
from tests.chromium import chromium_in
from tests.conftest import Serve
from tests.kitchen import Context, Kitchen
from tests.nginx import REQUIRED, find_nginx, nginx

FORMS = ("application/json", "application/x-ndjson", "text/event-stream")
ROUNDS = 20
PATH = "/v1/ticks?count=9&failAfter=3"
LAST = '{"error":{"code":500,"message":"the clock fell down","status":"DATA_LOSS","details":[]}}'
READERS = Path(__file__).parent / "readers"
ALWAYS = dict.fromkeys(FORMS, ROUNDS)

_REQUIRED = os.environ.get("TESTS_CLIENTS") == "required"
NODE = pytest.mark.skipif(shutil.which("node") is None and not _REQUIRED, reason="there is no node")
GO = pytest.mark.skipif(shutil.which("go") is None and not _REQUIRED, reason="there is no go")
NGINX = pytest.mark.skipif(find_nginx() is None and not REQUIRED, reason="there is no nginx")


@dataclass(frozen=True)
class Target:
    """Where a reader finds the gateway over TLS, and the authority of its certificate."""

    url: str
    authority: Authority


@pytest.fixture(params=["gateway", pytest.param("nginx", marks=NGINX)])
async def target(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> AsyncIterator[Target]:
    """The gateway, or nginx with the documentation's block in front of it."""
    authority = Authority(tmp_path)
    shown = authority.shown()
    async with AsyncExitStack() as stack:
        if request.param == "gateway":
            made = await stack.enter_async_context(serve(**settings(shown)))
            port = made.gateway.http_port
        else:
            made = await stack.enter_async_context(serve(trusted_proxies=("127.0.0.1",)))
            ports = made.gateway.http_port, made.gateway.grpc_port
            port = (await stack.enter_async_context(nginx(tmp_path, *ports, shown))).port
        yield Target(f"https://localhost:{port}{PATH}", authority)


async def printed(*command: str, **environment: str) -> str:
    """Runs a program to its end and returns what it prints."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env={**os.environ, **environment}
    )
    async with asyncio.timeout(120):
        out, _ = await process.communicate()
    assert process.returncode == 0, command
    return out.decode()


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
async def test_curl(target: Target, version: str) -> None:
    for form in FORMS:
        many = f"{target.url}#[1-{ROUNDS}]"
        text = await printed(
            *("curl", "--silent", "--show-error", "--fail-early", version, "--header", f"accept: {form}"),
            *("--cacert", str(target.authority.file), "--write-out", "<%{http_version}>", many),
        )
        answers = text.split({"--http1.1": "<1.1>", "--http2": "<2>"}[version])
        assert answers.pop() == ""
        assert [LAST in answer for answer in answers] == [True] * ROUNDS


class _FailsWhileSentTo(Kitchen):
    async def Converse(self, request_iterator: Any, context: Context) -> AsyncIterator[pb.TickResponse]:
        async for tick in request_iterator:
            yield tick
            if tick.number == 3:
                await context.abort(grpc.StatusCode.DATA_LOSS, "the clock fell down")


async def test_libcurl_that_still_sends(serve: Serve, tmp_path: Path) -> None:
    """RST_STREAM (NO_ERROR) follows the error, since the request has not ended: RFC 9113 section 8.1.

    curl 7.88 discards the response then, against that section; libcurl 8 of pycurl's wheels does not.
    """
    authority = Authority(tmp_path)
    async with serve(_FailsWhileSentTo(), **settings(authority.shown())) as made:
        url = f"https://localhost:{made.gateway.http_port}/v1/converse"
        command = (sys.executable, str(READERS / "sending.py"), url, str(authority.file), str(ROUNDS), LAST)
        assert json.loads(await printed(*command)) == ROUNDS


@NODE
@pytest.mark.parametrize("version", ["http1", "http2"])
async def test_node(target: Target, version: str) -> None:
    command = ("node", "--no-warnings", str(READERS / "reader.mjs"), target.url, version, str(ROUNDS), LAST)
    assert json.loads(await printed(*command, NODE_EXTRA_CA_CERTS=str(target.authority.file))) == ALWAYS


@GO
@pytest.mark.parametrize("version", ["http1", "http2"])
async def test_go(target: Target, version: str) -> None:
    command = ("go", "run", str(READERS / "reader.go"), target.url, version, str(ROUNDS), LAST)
    assert json.loads(await printed(*command)) == ALWAYS


_FETCH = """async ([path, form, rounds]) => {
  const texts = [];
  for (let round = 0; round < rounds; round++) {
    const response = await fetch(path, {headers: {accept: form}});
    texts.push(await response.text());
  }
  return texts;
}"""

_EVENTS = """async ([path, rounds]) => {
  const errors = [];
  for (let round = 0; round < rounds; round++) {
    errors.push(await new Promise((resolve) => {
      const source = new EventSource(path);
      source.addEventListener('error', (event) => { source.close(); resolve(event.data ?? 'lost'); });
    }));
  }
  return errors;
}"""


@pytest.mark.browser
@pytest.mark.parametrize(("protocol", "arguments"), [("h2", ()), ("http/1.1", ("--disable-http2",))])
async def test_chromium(target: Target, tmp_path: Path, protocol: str, arguments: tuple[str, ...]) -> None:
    async with chromium_in(tmp_path / "profile", *arguments, any_certificate=True) as context:
        page = await context.new_page()
        await page.goto(target.url.replace(PATH, "/healthz"))
        version = "performance.getEntriesByType('navigation')[0].nextHopProtocol"
        assert await page.evaluate(version) == protocol
        for form in FORMS:
            texts: list[Any] = await page.evaluate(_FETCH, [PATH, form, ROUNDS])
            assert [LAST in text for text in texts] == [True] * ROUNDS
        assert await page.evaluate(_EVENTS, [PATH, ROUNDS]) == [LAST] * ROUNDS
