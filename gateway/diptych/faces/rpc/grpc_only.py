"""The ASGI app of the gRPC port: serves gRPC, and rejects everything else as PROTOCOL-HTTP2.md says.

It knows no listener and no other protocol.
"""

from __future__ import annotations

from collections.abc import Awaitable

from ...exchange import Exchange, Receive, Scope, Send
from ...reply import ErrorReplier
from ...status import Code, Status
from ..session import Session
from . import RpcApp

__all__ = ["GrpcOnly"]

_EXPECTED = "application/grpc, application/grpc+proto or application/grpc+json"


class GrpcOnly:
    """Serves the methods of `rpc` over gRPC only; `errors` writes the responses to other requests."""

    def __init__(self, rpc: RpcApp, session: Session, errors: ErrorReplier) -> None:
        self._rpc, self._session, self._errors = rpc, session, errors

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        exchange = Exchange(scope, receive, send)
        if scope["method"] != "POST":
            return self._refuse(exchange, _wrong_verb(scope["method"]))
        serving = self._rpc.grpc(exchange, send)
        if serving is None:
            return self._refuse(exchange, _wrong_type(exchange.headers.get(b"content-type", b"")))
        return serving

    async def _refuse(self, exchange: Exchange, status: Status) -> None:
        self._session.unmatched(exchange.scope, "grpc", status.http_status)
        await exchange.reply(self._errors.reply(status))


def _wrong_verb(verb: str) -> Status:
    return Status(
        code=Code.UNIMPLEMENTED,
        message=f"method {verb} is not allowed; gRPC uses POST",
        http=405,
        headers=(("allow", "POST"),),
    )


def _wrong_type(given: bytes) -> Status:
    """PROTOCOL-HTTP2.md: without `application/grpc` a server answers 415, so that others see that it failed."""
    shown = given.decode("ascii", "backslashreplace")[:100]
    return Status(
        code=Code.INVALID_ARGUMENT,
        message=f"unsupported content type {shown!r}; this port serves gRPC: expected {_EXPECTED}",
        http=415,
        headers=(("accept-post", "application/grpc, application/grpc+proto, application/grpc+json"),),
    )
