"""The driver of the JavaScript clients as Python sees it: a face for each client, over one process or one page.

It knows no client and no protocol; src/driver.js says what the commands and events are.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from tests.parity import outcome
from tests.parity.faces import Metadata, OnAnswer
from tests.parity.faces.grpc_web import wire_metadata
from tests.parity.outcome import Outcome

Send = Callable[[str], Any]

_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class Broken(Exception):
    """The client failed in another way than by the end of a call."""


class Driver:
    """Sends commands through `send` and passes events, which arrive at `hear`, to their calls."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._numbers = count(1)
        self._calls: dict[int, asyncio.Queue[dict[str, Any]]] = {}

    def hear(self, line: str) -> None:
        """Passes one event of the driver to its call."""
        event = json.loads(line)
        queue = self._calls.get(event["id"])
        if queue is not None:
            queue.put_nowait(event)

    def fail(self, why: str) -> None:
        """Fails all running calls, because the driver has ended."""
        for queue in self._calls.values():
            queue.put_nowait({"broken": why})

    async def call(
        self,
        client: dict[str, Any],
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata,
        seconds: float | None,
        on_answer: OnAnswer | None,
    ) -> Outcome:
        """Makes a call with the client that the options describe. Raises `Broken`."""
        number = next(self._numbers)
        events = self._calls[number] = asyncio.Queue()
        asked = {"client": client, "method": method, "metadata": wire_metadata(metadata)}
        deadline = {} if seconds is None else {"timeoutMs": round(seconds * 1000)}
        await self._command(number, op="call", **asked, **deadline)
        feeding = asyncio.ensure_future(self._feed(number, requests))
        answers: list[Message] = []
        try:
            while True:
                event = await events.get()
                if "broken" in event:
                    raise Broken(event["broken"])
                if "outcome" in event:
                    return _outcome(event["outcome"], answers)
                answers.append(outcome.response_class(method).FromString(base64.b64decode(event["answer"])))
                if on_answer:
                    await on_answer(answers[-1])
        except asyncio.CancelledError:
            await self._command(number, op="cancel")
            raise
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            del self._calls[number]

    async def _feed(self, number: int, requests: AsyncIterator[Message]) -> None:
        async for request in requests:
            message = base64.b64encode(request.SerializeToString()).decode()
            await self._command(number, op="send", message=message)
        await self._command(number, op="end")

    async def _command(self, number: int, **command: Any) -> None:
        await self._send(json.dumps({"id": number, **command}))


def _outcome(ended: dict[str, Any], answers: list[Message]) -> Outcome:
    rich = dict(ended["trailers"]).get("grpc-status-details-bin")
    details = [outcome.detail(name, outcome.from_base64(value)) for name, value in ended["details"]]
    return Outcome(
        code=_CODES[ended["code"]],
        message=ended["message"],
        details=details or outcome.rich_details(outcome.from_base64(rich) if rich else None),
        answers=[outcome.printed(answer) for answer in answers],
        headers=outcome.metadata(ended["headers"]),
        trailers=outcome.metadata(ended["trailers"]),
    )


class ClientFace:
    """One client behind the driver, as a face of the parity suite."""

    def __init__(self, name: str, driver: Driver, client: dict[str, Any], kinds: str) -> None:
        self.name, self._driver, self._client, self._kinds = name, driver, client, kinds

    def can(self, method: MethodDescriptor, *, duplex: bool = False) -> bool:
        """By `kinds`: u(nary), s(erver stream), c(lient stream), b(idirectional), d(uplex)."""
        if duplex and "d" not in self._kinds:
            return False
        if method.client_streaming:
            return ("b" if method.server_streaming else "c") in self._kinds
        return ("s" if method.server_streaming else "u") in self._kinds

    async def call(
        self,
        method: str,
        requests: AsyncIterator[Message],
        *,
        metadata: Metadata = (),
        seconds: float | None = None,
        on_answer: OnAnswer | None = None,
    ) -> Outcome:
        """Calls a method with this client."""
        return await self._driver.call(
            self._client, method, requests, metadata=metadata, seconds=seconds, on_answer=on_answer
        )
