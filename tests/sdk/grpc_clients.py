"""Runs a case with grpcio's generated stubs, synchronous and asyncio. The table and its server are proven by them."""

from __future__ import annotations

import asyncio
import importlib
import queue
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from tests.sdk.case_table import Case
from tests.sdk.outcome import Calls, Line, Outcome, metadata, sent
from tests.waiting import until, wait_for

_AIO_ATTEMPTS = 20
_DETAILS = "grpc-status-details-bin"
# Each channel gets connections of its own, and messages of any size: 4 MiB is grpcio's limit.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1))


def _channel(made: Any, line: Line, case: Case) -> Any:
    if not case.text.tls:
        return made.insecure_channel(line["grpc"], _OPTIONS)
    credentials = grpc.ssl_channel_credentials(Path(line["ca"]).read_bytes())
    return made.secure_channel(line["grpcs"], credentials, _OPTIONS)


def _timeout(case: Case) -> float | None:
    # With 0 the stub sends the call, and the answer is sometimes faster than core's timer.
    return -1 if case.text.deadline_seconds == 0 else case.text.deadline_seconds


def _method(channel: Any, case: Case) -> Any:
    """Returns the method of the generated stub."""
    module = case.method.containing_service.file.name.removesuffix(".proto").replace("/", ".")
    stubs = importlib.import_module(f"{module}_pb2_grpc")
    return getattr(getattr(stubs, f"{case.method.containing_service.name}Stub")(channel), case.method.name)


def call(line: Line, case: Case) -> Outcome:
    """Runs a case with the synchronous stub."""
    calls, outcome, allowed = Calls(line, case), Outcome(), queue.SimpleQueue[None]()
    with _channel(grpc, line, case) as channel:
        method, given = _method(channel, case), case.requests
        argument = _requests(case, allowed) if case.method.client_streaming else given[0]
        start = method if case.method.server_streaming else method.future
        running = start(argument, timeout=_timeout(case), metadata=sent(line, case))
        if case.text.cancel_after == 0:
            wait_for(calls.started)
            running.cancel()
        try:
            if case.method.server_streaming:
                for response in running:
                    outcome.responses.append(response)
                    allowed.put(None)
                    if len(outcome.responses) == case.text.cancel_after:
                        running.cancel()
            else:
                outcome.responses.append(running.result())
        except grpc.FutureCancelledError:
            outcome.code = grpc.StatusCode.CANCELLED
        except grpc.RpcError:
            outcome.code, outcome.message = running.code(), running.details()
        _add_metadata(outcome, running.initial_metadata(), running.trailing_metadata())
    if case.text.cancel_after is not None:
        wait_for(calls.cancelled)
    return outcome


def _requests(case: Case, allowed: queue.SimpleQueue[None]) -> Iterator[Message]:
    for number, request in enumerate(case.requests):
        if case.text.lockstep and number:
            allowed.get()
        yield request


async def call_aio(line: Line, case: Case) -> Outcome:
    """Runs a case with the asyncio stub.

    The stub reports INTERNAL instead of the status if the server ends a call just while the client writes
    (https://github.com/grpc/grpc/issues/36066), which cases with `server.read` provoke; they are run again then.
    """
    for _ in range(_AIO_ATTEMPTS):
        outcome = await _call_aio(line, case)
        if case.text.server.read is None or outcome.message != "Internal error from Core":
            break
    return outcome


async def _call_aio(line: Line, case: Case) -> Outcome:
    calls, outcome, allowed = await asyncio.to_thread(Calls, line, case), Outcome(), asyncio.Semaphore(0)
    async with _channel(grpc.aio, line, case) as channel:
        argument = _requests_aio(case, allowed) if case.method.client_streaming else case.requests[0]
        running = _method(channel, case)(argument, timeout=_timeout(case), metadata=sent(line, case))
        if case.text.cancel_after == 0:
            await until(calls.started)
            running.cancel()
        try:
            if case.method.server_streaming:
                async for response in running:
                    outcome.responses.append(response)
                    allowed.release()
                    if len(outcome.responses) == case.text.cancel_after:
                        running.cancel()
            else:
                outcome.responses.append(await running)
        except asyncio.CancelledError:
            assert running.cancelled()
            outcome.code = grpc.StatusCode.CANCELLED
        except grpc.aio.AioRpcError as error:
            outcome.code, outcome.message = error.code(), error.details() or ""
        _add_metadata(outcome, await running.initial_metadata(), await running.trailing_metadata())
    if case.text.cancel_after is not None:
        await until(calls.cancelled)
    return outcome


async def _requests_aio(case: Case, allowed: asyncio.Semaphore) -> AsyncIterator[Message]:
    for number, request in enumerate(case.requests):
        if case.text.lockstep and number:
            await allowed.acquire()
        yield request


def _add_metadata(outcome: Outcome, initial: Any, trailing: Any) -> None:
    outcome.initial_metadata, outcome.trailing_metadata = metadata(initial), metadata(trailing)
    rich = outcome.trailing_metadata.get(_DETAILS)
    if rich and isinstance(rich[0], bytes):
        outcome.details = status_pb2.Status.FromString(rich[0]).details
