"""Parses and serializes messages on the gRPC port, where grpcio would send the text of an exception to the client.

A request that is too large for its method, or malformed, is refused before the handler sees it. grpcio itself has only
one limit for the whole server, and applies it first.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import grpc

from ..call import UNKNOWN_METHOD, Calls, Guard, behaviour_of, with_behaviour
from ..call.context import code_of
from ..call.refusal import abort
from ..forwarded import Proxies
from ..methods import Handler
from ..origin import Origin, enter, origin
from ..status import Code, StatusError, error
from ..telemetry import Record, Recorder
from .forwarded import behind
from .initial_metadata import InitialMetadataContext

_CANCELLED, _UNKNOWN, _DEADLINE_EXCEEDED, _UNIMPLEMENTED = 1, 2, 4, 12
# A client's deadline starts before the server's, so the client gives up a little earlier.
_LATE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Refused:
    """Takes the place of a request that is refused as soon as there is a context."""

    code: Code
    reason: str


class WireInterceptor(grpc.aio.ServerInterceptor):
    """The outermost interceptor. `limits` are bytes by `/{package.Service}/{Method}`; the rest have grpcio's limit.

    `context` wraps an engine's context so that it behaves as grpcio's; `secure` says that the port uses TLS; `proxies`
    are trusted to name the client's address.
    """

    def __init__(
        self,
        limits: Mapping[str, int],
        calls: Calls,
        context: Callable[[Any], Any] | None = None,
        *,
        secure: bool = False,
        proxies: Proxies | None = None,
    ) -> None:
        self._proxies = proxies or None
        self._limits, self._guard, self._context, self._secure = dict(limits), calls.guard, context, secure
        self._recorder = calls.recorder
        self.known = {path: self._edge(handler, path) for path, handler in calls.guarded.items()}
        """The handlers of methods that no interceptor changes."""
        self._by_id = {id(handler): self.known[path] for path, handler in calls.guarded.items()}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        known = Origin(protocol="grpc")
        known.settled = False
        known.arrived = perf_counter()
        enter(known)
        handler = await continuation(handler_call_details)
        if handler is None:
            record = self._recorder.begin(handler_call_details.method, known)
            record.code = _UNIMPLEMENTED
            record.on_metadata(tuple(handler_call_details.invocation_metadata or ()))
            known.over()
            return None
        return self._by_id.get(id(handler)) or self._edge(handler, handler_call_details.method)

    def _edge(self, handler: Handler, method: str) -> Handler:
        limit = self._limits.get(method)
        return _Edge(
            handler, limit, self._guard, method, self._context, self._recorder, self._proxies, secure=self._secure
        ).handler()

    def unknown(self) -> grpc.GenericRpcHandler:
        """Returns the handler of unknown methods, which counts and logs them; it must be the last one."""
        refusing: Handler = grpc.stream_stream_rpc_method_handler(_refuse)
        return _UnknownMethods(lambda path: self._edge(refusing, path))


class _UnknownMethods(grpc.GenericRpcHandler):
    def __init__(self, make: Callable[[str], Handler]) -> None:
        self._make = make

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        return self._make(handler_call_details.method)


async def _refuse(_: Any, context: Any) -> None:
    await context.abort(Code.UNIMPLEMENTED, UNKNOWN_METHOD)


class _Edge:
    """Wraps one handler so that parsing and serializing are guarded and recorded."""

    def __init__(
        self,
        handler: Handler,
        limit: int | None,
        guard: Guard,
        method: str,
        context: Callable[[Any], Any] | None,
        recorder: Recorder,
        proxies: Proxies | None,
        *,
        secure: bool,
    ) -> None:
        self._proxies = proxies
        self._secure, self._recorder = secure, recorder
        self._handler, self._limit, self._guard, self._method = handler, limit, guard, method
        self._context = context
        self._behaviour = behaviour_of(handler)
        self._deserialize: Any = handler.request_deserializer
        self._serialize: Any = handler.response_serializer

    def handler(self) -> Handler:
        if not self._handler.response_streaming:
            return self._wrapped(self._unary, None)
        if inspect.isasyncgenfunction(self._behaviour):
            return self._wrapped(self._stream, None)
        return self._wrapped(self._writing, self._show)  # grpcio serializes what is written to the context

    def _wrapped(self, behaviour: Callable[..., Any], serialize: Any) -> Handler:
        parse: Callable[[bytes], Any] | None = self._parse
        if self._deserialize is None:
            parse = None
        elif self._handler.request_streaming:
            parse = self._parse_streamed
        return with_behaviour(self._handler, behaviour, parse, serialize)

    def _parse(self, data: bytes) -> Any:
        """Returns the request and its size, which the record counts once there is one."""
        if self._limit is not None and len(data) > self._limit:
            return _Refused(Code.RESOURCE_EXHAUSTED, f"the request is larger than {self._limit} bytes")
        try:
            return self._deserialize(data), len(data)
        except Exception:
            return _Refused(Code.INVALID_ARGUMENT, "cannot parse the request as the method's request type")

    def _parse_streamed(self, data: bytes) -> Any:
        """Parses one request of a stream, which a servicer may read by grpcio's own context."""
        found = self._parse(data)
        if type(found) is _Refused:
            return found
        _note_in(len(data))
        return found[0]

    def _show(self, reply: Any) -> Any:
        data = reply if self._serialize is None else self._serialize(reply)
        _note_out(len(data))
        return data

    async def _print(self, reply: Any, context: Any) -> Any:
        try:
            return reply if self._serialize is None else self._serialize(reply)
        except Exception as wrong:
            if context.code() not in (None, Code.OK):
                return b""  # the servicer set an error, and its return value is not sent
            status = self._guard.status(wrong, self._method)
            return await context.abort(status.code, status.message)

    async def _admit(self, request: Any, context: Any, known: Origin) -> Any:
        for ask in known.settle:
            status = await ask()
            if status is not None:
                await abort(context, status)
        if self._handler.request_streaming:
            return self._each(request)
        if type(request) is _Refused:
            await context.abort(request.code, request.reason)
        if self._deserialize is None:
            return request
        message, size = request
        if known.lease is not None:
            try:
                known.lease.take(size)  # grpcio has read it already, and keeps it until the call ends
            except StatusError as full:
                await abort(context, full.status)
        record: Record = known.record
        record.messages_in += 1
        record.bytes_in += size
        return message

    async def _each(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            if type(request) is _Refused:
                raise error(request.code, request.reason)  # not an abort: the servicer may say which request it was
            yield request

    def _arrive(self, context: Any) -> tuple[Any, Origin, Record]:
        """Returns the context as servicers see it, the call's origin, and its record, which begins."""
        if self._context is not None:
            context = self._context(context)
        known = origin()
        if known is None or known.record is not None:  # the context variable of another call, inherited by a task
            enter(known := Origin(protocol="grpc"))
        if self._proxies is not None:
            context = behind(context, self._proxies)
        known.peer, known.settled = context.peer(), True
        if self._secure:
            known.auth = context.auth_context()
        record = self._recorder.begin(self._method, known)
        if self._recorder.needs_metadata:
            record.on_metadata(context.invocation_metadata() or ())
        return InitialMetadataContext(context, known) if known.initial else context, known, record

    async def _unary(self, request: Any, context: Any) -> Any:
        context, known, record = self._arrive(context)
        try:
            reply = await self._behaviour(await self._admit(request, context, known), context)
            printed = await self._print(reply, context)
            if type(context) is InitialMetadataContext:
                await context.send_own()
            record.code = _status_number(context)
            if not record.code:
                record.messages_out += 1
                record.bytes_out += len(printed)
            return printed
        except BaseException as wrong:
            record.code = _number_of_exception(wrong, context)
            raise
        finally:
            known.over()

    async def _writing(self, request: Any, context: Any) -> None:
        context, known, record = self._arrive(context)
        try:
            await self._behaviour(await self._admit(request, context, known), context)
            record.code = _status_number(context)
        except BaseException as wrong:
            record.code = _number_of_exception(wrong, context)
            raise
        finally:
            known.over()

    async def _stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        context, known, record = self._arrive(context)
        try:
            async with aclosing(self._behaviour(await self._admit(request, context, known), context)) as messages:
                async for message in messages:
                    printed = await self._print(message, context)
                    if type(context) is InitialMetadataContext:
                        await context.send_own()
                    record.messages_out += 1
                    record.bytes_out += len(printed)
                    yield printed
            record.code = _status_number(context)
        except BaseException as wrong:
            record.code = _number_of_exception(wrong, context)
            raise
        finally:
            known.over()


def _note_in(size: int) -> None:
    known = origin()
    if known is not None and known.record is not None:
        known.record.messages_in += 1
        known.record.bytes_in += size


def _note_out(size: int) -> None:
    known = origin()
    if known is not None and known.record is not None:
        known.record.messages_out += 1
        known.record.bytes_out += size


def _status_number(context: Any) -> int:
    """Returns the number of the servicer's code."""
    number: int = code_of(context.code()).value[0]
    return number


def _number_of_exception(wrong: BaseException, context: Any) -> int:
    """Returns the number of the code that the client receives after an exception."""
    if isinstance(wrong, grpc.aio.AbortError | grpc.aio.UsageError):
        return _status_number(context)
    if isinstance(wrong, Exception):
        return _UNKNOWN
    # grpcio cancels calls past their deadline and calls whose client left in the same way.
    left = context.time_remaining()
    return _DEADLINE_EXCEEDED if left is not None and left < _LATE_SECONDS else _CANCELLED
