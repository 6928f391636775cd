"""Clients that call repeatedly and count: which calls were answered, which were not, and by which process.

Each call has a unique id, so that its record can be compared with the servers'.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import grpc

from bench.production.program import Program
from kitchen.v1 import kitchen_service_pb2 as pb
from kitchen.v1 import kitchen_service_pb2_grpc as pb_grpc

HOST = "127.0.0.1"
_numbers = itertools.count(1)


class Lost(Exception):
    """A call had no answer or a wrong one."""


@dataclass
class Call:
    """One call: when it was made, and on a connection of which process, if that is known."""

    id: str
    began: float
    worker: int = 0


@dataclass
class Account:
    """The calls of one or several callers; `resent` counts idempotent requests that met a kept connection's end."""

    took: list[float] = field(default_factory=list)
    lost: list[tuple[Call, str]] = field(default_factory=list)
    resent: int = 0


class Rest:
    """A client over HTTP/1.1. With `kept` it uses its connection until the server closes it."""

    def __init__(self, program: Program, *, kept: bool, path: str = "") -> None:
        self._port, self._kept, self._slow = program.http, kept, path
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.worker = 0

    async def __call__(self, call: Call, account: Account) -> None:
        """Makes one call. Retries if a kept connection ends before a byte of the answer (RFC 9112 section 9.3.1)."""
        call.worker = self.worker
        used = self._open is not None
        try:
            await self._ask(call)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.close()
            if not used or not isinstance(error, asyncio.IncompleteReadError) or error.partial:
                raise Lost(repr(error)) from None
            account.resent += 1
            try:
                await self._ask(call)
            except (asyncio.IncompleteReadError, ConnectionError) as again:
                self.close()
                raise Lost(repr(again)) from None

    async def _ask(self, call: Call) -> None:
        if self._open is None:
            self._open = await asyncio.open_connection(HOST, self._port)
        reader, writer = self._open
        writer.write(self._request(call))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        if not head.startswith(b"http/1.1 200"):
            raise Lost(head.partition(b"\r\n")[0].decode())
        if not self._slow:
            self.worker = call.worker = int(json.loads(body)["title"])
        if not self._kept or b"connection: close" in head:
            self.close()

    def _request(self, call: Call) -> bytes:
        if not self._slow:
            return f"GET /v1/dishes/{call.id} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
        body = json.dumps({"key": call.id})
        head = f"POST {self._slow} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()

    def close(self) -> None:
        """Closes the connection."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
        self.worker = 0


class Rpc:
    """A client over gRPC with a separate connection and otherwise grpcio's defaults."""

    def __init__(self, program: Program, *, slow: bool = False) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.aio.insecure_channel(f"{HOST}:{program.grpc}", options)
        self._stub, self._slow = pb_grpc.KitchenServiceStub(self._channel), slow
        self.worker = 0

    async def __call__(self, call: Call, account: Account) -> None:
        """One call."""
        call.worker = self.worker
        try:
            if self._slow:
                await self._stub.Wait(pb.WaitRequest(key=call.id))
            else:
                dish = await self._stub.GetDish(pb.GetDishRequest(dish_id=call.id))
                self.worker = int(dish.title)
        except grpc.aio.AioRpcError as error:
            self.worker = 0
            raise Lost(f"{error.code().name}: {error.details()}") from None

    async def end(self) -> None:
        """Closes the channel."""
        await self._channel.close()


Caller = Callable[[Call, Account], Awaitable[None]]


async def once(caller: Caller, account: Account) -> None:
    """Makes one call and counts its result."""
    call = Call(f"c{next(_numbers)}", time.perf_counter())
    try:
        await caller(call, account)
    except (Lost, OSError) as lost:
        account.lost.append((call, str(lost)))
    else:
        account.took.append(time.perf_counter() - call.began)


@contextlib.asynccontextmanager
async def load(*callers: Caller, stop_at_lost: bool = False) -> AsyncIterator[Account]:
    """Lets all callers call without pause while the block runs; with `stop_at_lost` each until its first loss."""
    account, over = Account(), asyncio.Event()

    async def repeat(caller: Caller) -> None:
        while not over.is_set():
            before = len(account.lost)
            await once(caller, account)
            if len(account.lost) > before:
                if stop_at_lost:
                    return
                await asyncio.sleep(0.01)  # a client does not retry a refusal in a tight loop

    async with asyncio.TaskGroup() as running:
        for caller in callers:
            running.create_task(repeat(caller))
        try:
            yield account
        finally:
            over.set()
