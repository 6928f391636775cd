"""Body limits of single methods, on the gRPC face: grpcio knows one limit for a whole server.

grpcio has read a message before anybody here sees it, under the largest limit of all; a smaller one is held when it
would be parsed, so that no interceptor and no servicer meets what is too large.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import grpc

from ..methods import Handler
from ..status import Code

_TOO_LARGE: Final = object()


class Limits(grpc.aio.ServerInterceptor):
    """Refuses messages beyond their method's limit in bytes, by `/{package.Service}/{Method}`."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = dict(limits)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        limit = self._limits.get(handler_call_details.method)
        if handler is None or limit is None or handler.request_deserializer is None:
            return handler
        return _limited(handler, limit)


def _limited(handler: Any, limit: int) -> Handler:
    deserialize = handler.request_deserializer

    def parse(data: bytes) -> Any:
        return deserialize(data) if len(data) <= limit else _TOO_LARGE

    async def refuse(context: Any) -> None:
        await context.abort(Code.RESOURCE_EXHAUSTED, f"the request is larger than {limit} bytes")

    async def checked(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            if request is _TOO_LARGE:
                await refuse(context)
            yield request

    async def admit(request: Any, context: Any) -> Any:
        if handler.request_streaming:
            return checked(request, context)
        if request is _TOO_LARGE:
            await refuse(context)
        return request

    async def unary(request: Any, context: Any) -> Any:
        return await (handler.unary_unary or handler.stream_unary)(await admit(request, context), context)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        running = (handler.unary_stream or handler.stream_stream)(await admit(request, context), context)
        if not hasattr(running, "__aiter__"):
            await running  # it writes to the context
            return
        try:
            async for message in running:
                yield message
        finally:
            await running.aclose()

    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[bool(handler.request_streaming), bool(handler.response_streaming)]
    made: Handler = make(stream if handler.response_streaming else unary, parse, handler.response_serializer)
    return made
