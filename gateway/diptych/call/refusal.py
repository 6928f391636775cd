"""Handlers that end a call without reading its request, for interceptors that refuse calls.

It knows no reason for a refusal.
"""

from __future__ import annotations

from typing import Any

import grpc
from google.rpc import status_pb2

from ..methods import Handler
from ..status import Status


async def abort(context: Any, status: Status) -> Any:
    """Ends the call with the status, its headers as trailing metadata; never returns."""
    rich = status_pb2.Status(code=status.number, message=status.message, details=status.details)
    trailing = (("grpc-status-details-bin", rich.SerializeToString()), *status.headers)
    await context.abort(status.code, status.message, trailing)


def refusal(status: Status, *, streamed: bool = False) -> Handler:
    """Returns a handler that ends every call with the status; `streamed` means that the method has a client stream.

    For a method with a single request, the handler declares a client stream and never reads it: grpcio's server reads a
    single request before it calls a handler. For a client stream it is the reverse: grpcio's client usually loses the
    status of a refusal that arrives while it is still sending its first message.
    """

    async def refuse(request: Any, context: Any) -> Any:
        await abort(context, status)

    make = grpc.unary_unary_rpc_method_handler if streamed else grpc.stream_unary_rpc_method_handler
    return make(refuse)
