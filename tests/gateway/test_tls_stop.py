"""A stop under TLS: unfinished handshakes and clients that do not close neither outlive nor delay it."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop

from diptych import Gateway, Settings
from diptych.http_server import stop
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc
from tests.certificates import Authority, settings
from tests.kitchen import Kitchen
from tests.waiting import until_here

HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
HTTP1 = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
LONG = 90.0
"""A grace in seconds that exceeds the test's own time limit."""

Test = Callable[[Gateway, Authority], Awaitable[None]]
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def served(loop: str, folder: Path, test: Test) -> None:
    """Runs it on such a loop, which is closed afterwards: a leaked socket is then a warning."""

    async def run() -> None:
        authority = Authority(folder)
        gateway = Gateway(Settings(http_port=0, grpc_port=0, **settings(authority.shown())))
        pb_grpc.add_KitchenServiceServicer_to_server(Kitchen(), gateway)
        async with asyncio.timeout(50), gateway:
            await test(gateway, authority)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(run())


class Client:
    """A client that performs each step on request, and reads nothing by itself."""

    def __init__(self, port: int, authority: Authority, *protocols: str) -> None:
        self.plain = socket.create_connection(("127.0.0.1", port), timeout=40)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = authority.trusting(None, *protocols).wrap_bio(
            self._incoming, self._outgoing, server_hostname="localhost"
        )

    def hello(self) -> bytes:
        """The first that it has to say."""
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._outgoing.read()

    def go_on(self, step: Callable[[], Any]) -> Any:
        """Performs a step completely, with all that it has to send and read."""
        while True:
            try:
                found = step()
            except ssl.SSLWantReadError:
                found = None
            self.plain.sendall(self._outgoing.read())
            if found is not None:
                return found
            got = self.plain.recv(65536)
            self._incoming.write(got) if got else self._incoming.write_eof()

    def shake(self) -> None:
        self.go_on(self._shaken)

    def _shaken(self) -> bool:
        self.tls.do_handshake()
        return True

    def ask(self, what: bytes) -> bytes:
        self.go_on(lambda: self.tls.write(what))
        answer: bytes = self.go_on(lambda: self.tls.read(4096))
        return answer


def gone(connection: socket.socket) -> bool:
    """Returns whether the server has closed it, reading to the end."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


async def shaking(gateway: Gateway) -> None:
    """Returns once a handshake has begun."""
    http: Any = vars(gateway)["_lifecycle"].listeners._http
    await until_here(lambda: http._admission.handshakes)


async def ended(gateway: Gateway) -> None:
    """Returns once no handshake is under way."""
    http: Any = vars(gateway)["_lifecycle"].listeners._http
    await until_here(lambda: not http._admission.handshakes)


async def closed(gateway: Gateway) -> None:
    """Returns once nothing listens any more."""
    http: Any = vars(gateway)["_lifecycle"].listeners._http
    await until_here(lambda: http._socket.fileno() == -1)


@pytest.mark.parametrize("part", ["nothing", "half a hello", "a hello"])
async def test_an_unfinished_handshake_times_out(part: str, tmp_path: Path) -> None:
    async def test(gateway: Gateway, authority: Authority) -> None:
        client = Client(gateway.http_port, authority)
        hello = client.hello()
        with client.plain:
            client.plain.sendall({"nothing": b"", "half a hello": hello[: len(hello) // 2], "a hello": hello}[part])
            await shaking(gateway)
            await gateway.stop(0)
            assert await asyncio.to_thread(gone, client.plain)

    await asyncio.to_thread(served, "asyncio", tmp_path, test)


@pytest.mark.parametrize("loop", LOOPS)
async def test_a_stop_finishes_a_handshake_and_serves_its_request(
    loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "LINGER_SECONDS", LONG)

    async def test(gateway: Gateway, authority: Authority) -> None:
        client = Client(gateway.http_port, authority)
        hello = client.hello()
        with client.plain:
            client.plain.sendall(hello[:50])
            await shaking(gateway)
            stopping = asyncio.ensure_future(gateway.stop(LONG))
            await closed(gateway)
            client.plain.sendall(hello[50:])
            await asyncio.to_thread(client.shake)
            answer = await asyncio.to_thread(client.ask, HTTP1)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer.lower()
            client.plain.close()
            await stopping

    await asyncio.to_thread(served, loop, tmp_path, test)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("protocol", "words"), [("http/1.1", HTTP1), ("h2", HTTP2)], ids=["http1", "h2"])
async def test_a_client_that_never_closes_does_not_delay_a_stop(
    protocol: str, words: bytes, loop: str, tmp_path: Path
) -> None:
    async def test(gateway: Gateway, authority: Authority) -> None:
        client = Client(gateway.http_port, authority, protocol)
        with client.plain:
            await asyncio.to_thread(client.shake)
            assert await asyncio.to_thread(client.ask, words)
            await gateway.stop(LONG)
            assert await asyncio.to_thread(gone, client.plain)

    await asyncio.to_thread(partial(served, loop, tmp_path, test))


@pytest.mark.parametrize("loop", LOOPS)
async def test_aborted_handshakes_do_not_count_as_connections(loop: str, tmp_path: Path) -> None:
    async def test(gateway: Gateway, authority: Authority) -> None:
        gc.disable()
        try:
            for _ in range(20):
                client = Client(gateway.http_port, authority)
                with client.plain:
                    client.plain.sendall(client.hello()[:20])
                    await shaking(gateway)
                await ended(gateway)
        finally:
            gc.enable()

    await asyncio.to_thread(served, loop, tmp_path, test)
