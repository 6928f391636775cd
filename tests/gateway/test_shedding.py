"""Load beyond the process's caps is refused before it takes memory, and ended calls release theirs."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from diptych.limits.caps import Caps, Slots
from diptych.status import Code, StatusError
from kitchen.v1 import kitchen_service_pb2 as pb
from tests.conftest import Serve, Served, every_engine
from tests.gateway.limiting import held, quiet
from tests.waiting import PATIENCE, until_here

BOTH_WAYS = True

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024


def test_a_lease_releases_its_resources_once() -> None:
    caps, slots = Caps(2, 100, 1.0), Slots(2)
    lease, other = caps.lease_counted(), caps.lease_counted()
    lease.take(60)
    lease.hold(slots, "a")
    other.hold(slots, "a")
    assert (caps.full, slots.full("a"), slots.full("b")) == (True, True, False)
    with pytest.raises(StatusError) as wrong:
        other.take(41)
    assert wrong.value.status.code is Code.UNAVAILABLE
    with pytest.raises(StatusError):
        other.expect(41)
    other.expect(40)
    for _ in range(2):
        lease.release()
    assert (caps.calls, caps.bytes, slots.counts) == (1, 0, {"a": 1})
    other.release()
    assert (caps.calls, caps.bytes, slots.counts) == (0, 0, {})
    lease.take(50)
    other.give(50)
    assert caps.bytes == 0, "a servicer in a thread may read on when its call has ended"


async def waiting(served: Served, key: str) -> asyncio.Task[Any]:
    """Keeps a call in flight."""
    call = asyncio.ensure_future(served.rpc.Wait(pb.WaitRequest(key=key)))
    await served.kitchen.waiting[key].wait()
    return call


@every_engine
async def test_calls_beyond_the_cap_get_a_retry_delay(serve: Serve) -> None:
    async with serve(limits={"max_in_flight": 2, "retry_seconds": 3.0}) as served:
        calls = [await waiting(served, key) for key in ("a", "b")]
        assert held(served.gateway)[0] == 2
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await served.rpc.GetDish(pb.GetDishRequest(dish_id="1"))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert refused.value.details() == "too many calls are in flight"
        answer = await served.http.get("/v1/dishes/1")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
        ticks = served.rpc.Tick(pb.TickRequest(count=1))
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await ticks.read()
        # Health checks are exempt: an orchestrator restarts a server that refuses them.
        health = health_pb2_grpc.HealthStub(served.channel)
        status = await health.Check(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]
        assert status.status == health_pb2.HealthCheckResponse.SERVING
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await served.http.get(path)).status_code == 200
        for key in ("a", "b"):
            served.kitchen.released[key].set()
        await asyncio.gather(*calls)
        await quiet(served.gateway)
        assert (await served.http.get("/v1/dishes/1")).status_code == 200


async def _spoiled(served: Served, how: str, key: str) -> None:
    """Makes a call that fails."""
    if how in ("fails", "raises"):
        await served.rpc.Fail(pb.FailRequest(code=9, how="raise" if how == "raises" else ""))
    elif how == "is late":
        await served.rpc.Wait(pb.WaitRequest(key=key), timeout=0.1)
    elif how == "is cancelled":
        call = await waiting(served, key)
        call.cancel()
        await call
    else:
        method = "GetDish" if how == "is no message" else "Nothing"
        ask: Any = served.channel.unary_unary(f"/kitchen.v1.KitchenService/{method}")
        await ask(b"\xff\xff\xff")


@every_engine
@pytest.mark.parametrize("how", ["fails", "raises", "is late", "is cancelled", "is no message", "has no such method"])
async def test_a_call_releases_its_resources_however_it_ends(serve: Serve, how: str) -> None:
    rules = [{"concurrent": 10}, {"by": "address", "concurrent": 10}, {"by": "method", "rate": "1000/day"}]
    async with serve(limits={"max_in_flight": 10, "max_bytes_in_flight": 32 * MIB, "rules": rules}) as served:
        for number in range(3):
            with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
                await _spoiled(served, how, str(number))
        await quiet(served.gateway)


async def test_a_websocket_beyond_the_cap_is_refused_in_its_handshake(serve: Serve) -> None:
    rules = [{"methods": "/kitchen.v1.KitchenService/Converse", "by": "address", "concurrent": 1}]
    async with serve(limits={"rules": rules}) as served:
        url = f"ws://127.0.0.1:{served.gateway.http_port}/v1/converse"
        async with connect(url) as socket:
            await socket.send('{"number": 1}')
            assert json.loads(await socket.recv())["number"] == "1"
            with pytest.raises(InvalidStatus) as refused:
                await connect(url)
            response = refused.value.response
            assert (response.status_code, response.headers["retry-after"]) == (429, "1")
            assert json.loads(response.body or b"")["error"]["status"] == "RESOURCE_EXHAUSTED"
        await quiet(served.gateway)
        async with connect(url) as socket:
            await socket.send('{"number": 2}')
            assert json.loads(await socket.recv())["number"] == "2"
        await quiet(served.gateway)


class Half:
    """A connection with an incomplete request."""

    def __init__(self, served: Served) -> None:
        self.socket = served.connect()

    async def begin(self, declared: int, sent: int) -> None:
        """Sends the head and the beginning of a body; `declared` 0 sends it chunked."""
        how = f"content-length: {declared}" if declared else "transfer-encoding: chunked"
        head = f"POST /v1/blobs HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\n{how}\r\n\r\n".encode()
        body = bytes(sent) if declared else b"%x\r\n%b\r\n" % (sent, bytes(sent))
        await asyncio.to_thread(self.socket.sendall, head + body)

    async def answer(self) -> str:
        """Returns the head of the response."""
        return (await asyncio.to_thread(self.socket.recv, 65536)).decode()

    def abort(self) -> None:
        """Aborts the connection: the peer gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


async def holds(served: Served, least: int) -> None:
    """Waits until that many bytes are held."""
    await until_here(lambda: held(served.gateway)[1] >= least)


@pytest.mark.parametrize("declared", [True, False])
async def test_bodies_beyond_the_cap_are_refused_while_they_arrive(serve: Serve, declared: bool) -> None:
    limits = {"max_bytes_in_flight": 3 * MIB}
    async with serve(max_body_bytes=MIB, limits=limits) as served:
        many = [Half(served) for _ in range(4)]
        try:
            for number, half in enumerate(many[:3], 1):
                await half.begin(MIB if declared else 0, 900_000)
                await holds(served, number * 900_000)
            await many[3].begin(MIB if declared else 0, 0 if declared else 900_000)
            answer = await many[3].answer()
            assert answer.startswith("HTTP/1.1 503 ")
            assert "retry-after: 1\r\n" in answer.lower()
            assert (await served.http.get("/v1/dishes/1")).status_code == 200, "what has no body has room"
        finally:
            for half in many:
                half.abort()
        await quiet(served.gateway)
        blob = await served.http.post("/v1/blobs", content=bytes(MIB), headers={"content-type": "image/png"})
        assert blob.json()["size"] == str(MIB), "and there is room again"
        await quiet(served.gateway)


async def test_a_flood_of_large_bodies_takes_bounded_memory() -> None:
    cap, size, many = 32 * MIB, 8 * MIB, 48
    settings = {"max_body_bytes": size, "limits": {"max_bytes_in_flight": cap}}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.gateway.stopping", json.dumps(settings)),
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}/tests/gen:{ROOT}", "PATH": ""},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        port = int((await process.stdout.readline()).split()[0])
        octets = "content-type: application/octet-stream"
        head = f"POST /v1/blobs HTTP/1.1\r\nhost: x\r\n{octets}\r\ncontent-length: {size}\r\n\r\n".encode()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            sent = {"content-type": "application/octet-stream"}
            assert (await http.post("/v1/blobs", content=bytes(size), headers=sent)).status_code == 200
            before = _peak(process.pid)

            async def listen(reader: asyncio.StreamReader) -> None:
                with suppress(ConnectionError):
                    answers.append(await reader.read(12))

            async def pour() -> None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                listening = asyncio.ensure_future(
                    listen(reader)
                )  # a concurrent read: a write may find the reset before the response is read
                try:
                    writer.write(head)
                    with suppress(ConnectionError):
                        for _ in range(size // MIB - 1):  # never the end, so that the server holds the body
                            writer.write(bytes(MIB))
                            await writer.drain()
                    poured.append(None)
                    await enough.wait()
                finally:
                    listening.cancel()
                    writer.transport.abort()

            poured: list[None] = []
            answers: list[bytes] = []
            enough = asyncio.Event()
            async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as floods:
                for _ in range(many):
                    floods.create_task(pour())
                while len(poured) < many or answers.count(b"HTTP/1.1 503") < many // 2:
                    assert (await http.get("/healthz")).status_code == 200
                assert (await http.get("/v1/dishes/1")).status_code == 200
                enough.set()
            grown = _peak(process.pid) - before
            assert grown < 4 * cap, f"{grown // MIB} MiB for {many * size // MIB} MiB of bodies"
    finally:
        process.terminate()
        await process.wait()


def _peak(pid: int) -> int:
    """Returns the peak memory of a process, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
