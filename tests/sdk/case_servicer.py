"""A servicer for every method of the contracts, whose answers the table scripts. It knows no port and no file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NoReturn

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_status import rpc_status

from tests.sdk import bodies
from tests.sdk.case_messages import Metadata
from tests.sdk.case_table import Case
from tests.sdk.contracts import methods

Context = grpc.aio.ServicerContext[Any, Any]

_LONGEST_QUOTE = 300  # characters of a message in an error, which travels in a header


@dataclass
class Calls:
    """How many calls of a case have reached the servicer, and how they ended."""

    started: int = 0
    cancelled: int = 0
    finished: int = 0


class CaseServicer:
    """Answers each call as the case that its metadata `x-case` names says."""

    def __init__(self, table: Mapping[str, Case]) -> None:
        self._table = table
        self._failed: dict[tuple[str, str | bytes | None], int] = {}
        self.calls = {name: Calls() for name in table}

    @property
    def metadata_names(self) -> tuple[str, ...]:
        """The response headers of all cases; over HTTP the names of trailing metadata get a prefix."""
        cases = self._table.values()
        trailing = {f"trailer-{name}" for case in cases for name in case.trailing_metadata}
        return tuple({name for case in cases for name in case.initial_metadata} | trailing)

    def register(self, server: grpc.aio.Server) -> None:
        """Registers a handler for every method of the contracts."""
        for service in {method.containing_service for method in methods().values()}:
            handlers = {method.name: self._handler(method) for method in service.methods}
            _add(server, service, handlers)

    def _handler(self, method: MethodDescriptor) -> grpc.RpcMethodHandler[Any, Any]:
        async def stream(given: Any, context: Context) -> AsyncIterator[Message]:
            requests = given if method.client_streaming else _one(given)
            case = await self._case(method, context)
            async for response in self._counted(case, requests, context):
                yield response

        async def unary(given: Any, context: Context) -> Message | None:
            last = None
            async for response in stream(given, context):
                last = response
            return last

        kinds = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }
        make: Any = kinds[method.client_streaming, method.server_streaming]
        handler: grpc.RpcMethodHandler[Any, Any] = make(
            stream if method.server_streaming else unary,
            message_factory.GetMessageClass(method.input_type).FromString,
            lambda message: message.SerializeToString(),
        )
        return handler

    async def _case(self, method: MethodDescriptor, context: Context) -> Case:
        name = str(dict(context.invocation_metadata() or ()).get("x-case", ""))
        case = self._table.get(name)
        if case is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"x-case: the table has no case {name!r}")
        if case.method is not method:
            await _differs(context, f"the case calls {case.text.method}, the client called {method.full_name}")
        return case

    async def _counted(self, case: Case, requests: AsyncIterator[Message], context: Context) -> AsyncIterator[Message]:
        calls, ended = self.calls[case.name], False
        calls.started += 1
        try:
            if case.failures:
                await self._fail(case, context)
            async for response in _script(case, requests, context):
                yield response
            ended = True
        except grpc.aio.AbortError:
            ended = True
            raise
        finally:  # a stream whose client leaves is closed, and a call that waits is cancelled
            calls.finished += ended
            calls.cancelled += not ended

    async def _fail(self, case: Case, context: Context) -> None:
        run = case.name, dict(context.invocation_metadata() or ()).get("x-run")
        failed = self._failed.get(run, 0)
        if failed < len(case.failures):
            self._failed[run] = failed + 1
            await _abort(context, case.failures[failed])


async def _script(case: Case, requests: AsyncIterator[Message], context: Context) -> AsyncIterator[Message]:
    """Does what the case's `server` says."""
    server = case.text.server
    await _compare_metadata(case, context)
    if case.initial_metadata:
        await context.send_initial_metadata(_pairs(case.initial_metadata))
    expected = enumerate(case.requests[: server.read])
    if case.method.client_streaming and bodies.of(case.method.input_type) is not None:
        found = bodies.joined([request async for request in requests])
        for number, (request, right) in enumerate(zip_longest(found, bodies.joined(case.requests))):
            await _compare(number, request, right, context)
    elif case.text.lockstep:
        for (number, request), response in zip(expected, case.responses, strict=True):
            await _compare(number, await anext(requests, None), request, context)
            yield response
    else:
        for number, request in expected:
            await _compare(number, await anext(requests, None), request, context)
    if server.read is None and (further := await anext(requests, None)) is not None:
        await _compare(len(case.requests), further, None, context)
    if not case.text.lockstep:
        for _ in range(server.repeat):
            for response in case.responses:
                yield response
    if server.wait:
        await asyncio.Event().wait()
    await _end(case, context)


async def _end(case: Case, context: Context) -> None:
    trailing = _pairs(case.trailing_metadata)
    if case.status.code:
        await _abort(context, case.status, trailing)
    context.set_trailing_metadata(trailing)


async def _abort(context: Context, status: status_pb2.Status, trailing: tuple[Any, ...] = ()) -> NoReturn:
    rich = rpc_status.to_status(status)
    await context.abort(rich.code, status.message, (*trailing, *(rich.trailing_metadata if status.details else ())))


async def _compare_metadata(case: Case, context: Context) -> None:
    for name, values in case.metadata.items():
        found = [value for key, value in context.invocation_metadata() or () if key == name]
        if joined(found) != joined(values):
            await _differs(context, f"metadata {name}: expected {list(values)}, got {found}")


async def _compare(number: int, found: Message | None, expected: Message | None, context: Context) -> None:
    """Compares bytes: NaN is not equal to itself, and zeros of both signs are."""
    if found is None or expected is None or wire(found) != wire(expected):
        await _differs(context, f"request {number + 1}: expected {_quoted(expected)}, got {_quoted(found)}")


async def _differs(context: Context, difference: str) -> NoReturn:
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"x-case: {difference}")


def wire(message: Message) -> bytes:
    """Returns bytes that are equal for equal messages."""
    return message.SerializeToString(deterministic=True)


def joined(values: Iterable[str | bytes]) -> str | list[bytes]:
    """Returns the values of one key in a form that is the same for a list in one header (RFC 9110 section 5.2)."""
    found = list(values)
    texts = [value for value in found if isinstance(value, str)]
    return ", ".join(texts) if len(texts) == len(found) else [value for value in found if isinstance(value, bytes)]


def _quoted(message: Message | None) -> str:
    if message is None:
        return "no more"
    text = MessageToJson(message, indent=None)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}… ({len(text)} characters)"


def _pairs(metadata: Metadata) -> tuple[tuple[str, str | bytes], ...]:
    return tuple((name, value) for name, values in metadata.items() for value in values)


async def _one(request: Message) -> AsyncIterator[Message]:
    yield request


def _add(server: Any, service: ServiceDescriptor, handlers: dict[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
    # As grpcio's generated code does.
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    server.add_registered_method_handlers(service.full_name, handlers)
