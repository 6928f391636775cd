"""Refusals as handlers that end a call and read nothing of its request, for interceptors that answer by themselves.

It knows no reason to refuse.
"""

from __future__ import annotations

from typing import Any

import grpc
from google.rpc import status_pb2

from ..methods import Handler
from ..status import Status


async def abort(context: Any, status: Status) -> Any:
    """End the call with the status, its headers as trailing metadata; never returns."""
    rich = status_pb2.Status(code=status.number, message=status.message, details=status.details)
    trailing = (("grpc-status-details-bin", rich.SerializeToString()), *status.headers)
    await context.abort(status.code, status.message, trailing)


def refusal(status: Status, *, streamed: bool = False) -> Handler:
    """A handler that ends every call with the status; `streamed` says that the method takes a stream.

    Where it takes one message, the handler says that it takes a stream, and never asks for it: so grpcio too reads
    nothing, which reads one message before it lets anybody answer. Where it takes a stream, it is the other way round:
    grpcio's client mostly loses the status of a refusal that comes while it still sends its first message.
    """

    async def refuse(request: Any, context: Any) -> Any:
        await abort(context, status)

    make = grpc.unary_unary_rpc_method_handler if streamed else grpc.stream_unary_rpc_method_handler
    return make(refuse)
