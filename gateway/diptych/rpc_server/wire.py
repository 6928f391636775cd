"""Bytes to messages and back on the gRPC face, where grpcio would send the text of whatever breaks to the client.

A request that is too large for its method, or is no message, is refused before any interceptor's behaviour sees it;
grpcio itself knows one limit for a whole server, and has held that already.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc

from ..call import Calls, Guard, behaviour_of, with_behaviour
from ..methods import Handler
from ..origin import Origin, enter, origin
from ..status import Code


@dataclass(frozen=True, slots=True)
class _Refused:
    """Stands where a request would, until there is a context to refuse it with."""

    code: Code
    reason: str


class Wire(grpc.aio.ServerInterceptor):
    """The outermost interceptor. `limits` are bytes by `/{package.Service}/{Method}`; other methods have grpcio's.

    `context` makes of an engine's own context one that behaves as grpcio's; `secure` says that the port speaks TLS.
    """

    def __init__(
        self,
        limits: Mapping[str, int],
        calls: Calls,
        context: Callable[[Any], Any] | None = None,
        *,
        secure: bool = False,
    ) -> None:
        self._limits, self._guard, self._context, self._secure = dict(limits), calls.guard, context, secure
        self.known = {path: self._edge(handler, path) for path, handler in calls.guarded.items()}
        """What the chain gives for a method that no interceptor changes."""
        self._by_id = {id(handler): self.known[path] for path, handler in calls.guarded.items()}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        enter(Origin(protocol="grpc"))
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        return self._by_id.get(id(handler)) or self._edge(handler, handler_call_details.method)

    def _edge(self, handler: Handler, method: str) -> Handler:
        limit = self._limits.get(method)
        return _Edge(handler, limit, self._guard, method, self._context, secure=self._secure).handler()


class _Edge:
    """One handler, parsing and printing under watch."""

    def __init__(
        self,
        handler: Handler,
        limit: int | None,
        guard: Guard,
        method: str,
        context: Callable[[Any], Any] | None,
        *,
        secure: bool,
    ) -> None:
        self._secure = secure
        self._handler, self._limit, self._guard, self._method = handler, limit, guard, method
        self._context = context
        self._behaviour = behaviour_of(handler)
        self._deserialize: Any = handler.request_deserializer
        self._serialize: Any = handler.response_serializer

    def handler(self) -> Handler:
        if not self._handler.response_streaming:
            return self._made(self._unary, None)
        if inspect.isasyncgenfunction(self._behaviour):
            return self._made(self._stream, None)
        return self._made(self._writing, self._serialize)  # grpcio prints what is written to the context

    def _made(self, behaviour: Callable[..., Any], serialize: Any) -> Handler:
        parse = None if self._deserialize is None else self._parse
        return with_behaviour(self._handler, behaviour, parse, serialize)

    def _parse(self, data: bytes) -> Any:
        if self._limit is not None and len(data) > self._limit:
            return _Refused(Code.RESOURCE_EXHAUSTED, f"the request is larger than {self._limit} bytes")
        try:
            return self._deserialize(data)
        except Exception:
            return _Refused(Code.INVALID_ARGUMENT, "the request is no message of the method's type")

    async def _print(self, reply: Any, context: Any) -> Any:
        try:
            return reply if self._serialize is None else self._serialize(reply)
        except Exception as wrong:
            if context.code() not in (None, Code.OK):
                return b""  # the servicer said so, and what it returned beside that is not sent
            status = self._guard.status(wrong, self._method)
            return await context.abort(status.code, status.message)

    async def _admit(self, request: Any, context: Any) -> Any:
        if self._handler.request_streaming:
            return self._each(request, context)
        if type(request) is _Refused:
            await context.abort(request.code, request.reason)
        return request

    async def _each(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            if type(request) is _Refused:
                await context.abort(request.code, request.reason)
            yield request

    def _arrive(self, context: Any) -> Any:
        """The context as servicers see it; and where the call came from is known now."""
        if self._context is not None:
            context = self._context(context)
        known = origin()
        if known is None:
            enter(known := Origin(protocol="grpc"))
        known.peer = context.peer()
        if self._secure:
            known.auth = context.auth_context()
        return context

    async def _unary(self, request: Any, context: Any) -> Any:
        context = self._arrive(context)
        reply = await self._behaviour(await self._admit(request, context), context)
        return await self._print(reply, context)

    async def _writing(self, request: Any, context: Any) -> None:
        context = self._arrive(context)
        await self._behaviour(await self._admit(request, context), context)

    async def _stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        context = self._arrive(context)
        async with aclosing(self._behaviour(await self._admit(request, context), context)) as messages:
            async for message in messages:
                yield await self._print(message, context)
