"""Kinds of input over HTTP/1.1 and gRPC: REST, raw bytes, and wire messages over a channel."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any, Protocol

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from kitchen.v1 import kitchen_service_pb2 as pb

from .client import Answer, Connection, NotHttp, Pool
from .generate import Requests, payload
from .judge import Input, Judge
from .mutate import garbage, mutated, size

SERVICE = descriptor_pool.Default().FindServiceByName(f"{pb.DESCRIPTOR.package}.KitchenService")
METHODS: list[MethodDescriptor] = list(SERVICE.methods)
_QUIET = 0.05
METADATA: tuple[tuple[str, str | bytes], ...] = (
    ("x-a", "b"), ("x-server-timeout", "0.01"), ("x-bin", b"\x00\xff"), ("a" * 200, "c"), ("traceparent", "00-x"),
    ("grpc-previous-rpc-attempts", "99999999999"), ("authorization", "Bearer x"), ("x-long", "v" * 4000),
    ("x-http-code", "7"),
)  # fmt: skip


class Kind(Protocol):
    """Sends one input at a time; only the dice decide which."""

    name: str

    async def throw(self, dice: Random, number: int) -> None:
        """Sends one input, and reports to the judge how it ended."""

    async def close(self) -> None:
        """Closes connections."""


def path_of(method: MethodDescriptor) -> str:
    """Returns the path as in RPC protocols."""
    return f"/{SERVICE.full_name}/{method.name}"


class OverHttp1:
    name: str

    def __init__(self, port: int, judge: Judge) -> None:
        self.judge, self.pool = judge, Pool(port)

    async def ask(self, thrown: Input) -> Answer | None:
        """Returns the answer; reports a missing or invalid one to the judge."""
        try:
            answer = await self.pool.ask(thrown.sent)
        except TimeoutError:
            self.judge.fault(thrown, "it was never answered")
            return None
        except NotHttp as wrong:
            self.judge.fault(thrown, f"an answer that is no HTTP: {wrong}")
            return None
        if answer is None:
            self.judge.count(thrown, "closed")
        return answer

    async def close(self) -> None:
        self.pool.close()


class Rest(OverHttp1):
    """Requests generated from the OpenAPI document, with valid framing."""

    name = "rest"

    def __init__(self, port: int, judge: Judge, document: dict[str, Any]) -> None:
        super().__init__(port, judge)
        self._requests = Requests(document, f"127.0.0.1:{port}")

    async def throw(self, dice: Random, number: int) -> None:
        thrown = Input(self.name, number, self._requests.make(dice))
        answer = await self.ask(thrown)
        if answer is None:
            return
        self.judge.http(thrown, answer.status, answer.body)
        if 400 <= answer.status < 500 and answer.whole and thrown.sent[:5] not in (b"HEAD ", b"TRACE"):
            _check_error(self.judge, thrown, answer)


def _check_error(judge: Judge, thrown: Input, answer: Answer) -> None:
    """Expects every refusal in the documented form."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        error = json.loads(answer.body)["error"]
        if error["code"] == answer.status and error["status"] and isinstance(error["message"], str):
            return
    if b'"peer"' not in answer.body:  # Inspect, as above
        judge.fault(thrown, f"an error in another form: {answer.body[:300]!r}")


class Raw(OverHttp1):
    """Requests with mutated bytes, head and framing included, on one connection each."""

    name = "http1"

    def __init__(self, port: int, judge: Judge, document: dict[str, Any]) -> None:
        super().__init__(port, judge)
        self._requests = Requests(document, "a")

    async def throw(self, dice: Random, number: int) -> None:
        data = self._requests.make(dice)
        if dice.random() < 0.3:
            head, end, body = data.partition(b"\r\n\r\n")
            pieces = [b"%x\r\n%s\r\n" % (len(body), body), b"0\r\n\r\n", b"%x\r\n" % size(dice), b"-1\r\n\r\n"]
            data = head + b"\r\ntransfer-encoding: chunked" + end + b"".join(dice.sample(pieces, 3))
        if dice.random() < 0.1:
            data += self._requests.make(dice)
        thrown = Input(self.name, number, garbage(dice, 2000) if dice.random() < 0.03 else mutated(dice, data, 6))
        connection = await Connection.open(self.pool.port)
        try:
            answers = await connection.throw(thrown.sent, _QUIET)
        except NotHttp as wrong:
            # If a mutation made it a HEAD request, this reader does not know that the answer has no body.
            if b"HEAD" not in thrown.sent:
                self.judge.fault(thrown, f"an answer that is no HTTP: {wrong}")
            return
        finally:
            connection.close()
        if not answers:
            self.judge.count(thrown, "nothing")
        for answer in answers[:1]:
            self.judge.http(thrown, answer.status, answer.body)


class Rpc:
    """Wire messages over grpcio's own channel; streams are read for a while and cancelled."""

    def __init__(self, name: str, port: int, judge: Judge) -> None:
        self.name, self.judge = name, judge
        self._port, self._made = port, list[grpc.aio.Channel]()

    @property
    def _channel(self) -> grpc.aio.Channel:
        if not self._made:
            options = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
            self._made.append(grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", options=options))
        return self._made[0]

    async def throw(self, dice: Random, number: int) -> None:
        method = dice.choice(METHODS)
        several = dice.randrange(4) if method.client_streaming else 1
        requests = [payload(dice, method.input_type) for _ in range(several)]
        path = path_of(method) if dice.random() > 0.02 else f"/{dice.choice(('x', SERVICE.full_name, ''))}/y"
        options: dict[str, Any] = {
            "timeout": dice.choice((1.0, 1.0, 1.0, 0.001)),
            "metadata": dice.sample(METADATA, dice.choice((0, 0, 1, 3))),
        }
        if dice.random() < 0.1:
            options["compression"] = grpc.Compression.Gzip
        shown = f"{path} {options['metadata']} {options['timeout']} ".encode() + b" | ".join(requests)
        thrown = Input(self.name, number, shown)
        leaves = dice.random() < 0.05
        try:
            async with asyncio.timeout(30):
                code, message = await self._call(method, path, requests, options, leaves)
        except TimeoutError:
            self.judge.fault(thrown, "it was never answered")
            return
        self.judge.call(thrown, code, message)

    async def _call(
        self, method: MethodDescriptor, path: str, requests: list[bytes], options: dict[str, Any], leaves: bool
    ) -> tuple[str, str]:
        make = getattr(
            self._channel,
            f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}",
        )
        call = make(path)(_each(requests) if method.client_streaming else requests[0], **options)
        if leaves:
            call.cancel()
        try:
            if not method.server_streaming:
                await call
            else:
                read = 0
                async for _ in call:
                    read += 1
                    if read > 20:
                        call.cancel()
                        return "left", ""
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details() or ""
        except asyncio.CancelledError:
            if not call.cancelled():
                raise
            return "left", ""
        return "OK", ""

    async def close(self) -> None:
        while self._made:
            await self._made.pop().close()


async def _each(requests: list[bytes]) -> AsyncIterator[bytes]:
    for request in requests:
        yield request
