"""The ASGI app of the gRPC port: serves gRPC, and rejects everything else as PROTOCOL-HTTP2.md says.

It knows no listener and no other protocol.
"""

from __future__ import annotations

from collections.abc import Awaitable

from ...exchange import Exchange, Receive, Scope, Send
from ...reply import Reply
from ..session import Session
from . import RpcApp
from .plain_answers import plain

__all__ = ["GrpcOnly"]

_EXPECTED = "application/grpc, application/grpc+proto or application/grpc+json"


class GrpcOnly:
    """Serves the methods of `rpc` over gRPC only."""

    def __init__(self, rpc: RpcApp, session: Session) -> None:
        self._rpc, self._session = rpc, session

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        exchange = Exchange(scope, receive, send)
        if scope["method"] != "POST":
            return self._refuse(exchange, _wrong_verb(scope["method"]))
        serving = self._rpc.grpc(exchange, send)
        if serving is None:
            return self._refuse(exchange, _wrong_type(exchange.headers.get(b"content-type", b"")))
        return serving

    async def _refuse(self, exchange: Exchange, reply: Reply) -> None:
        self._session.unmatched(exchange.scope, "grpc", reply.status)
        await exchange.reply(reply)


def _wrong_verb(verb: str) -> Reply:
    return plain(405, f"method {verb} is not allowed; gRPC uses POST", (b"allow", b"POST"))


def _wrong_type(given: bytes) -> Reply:
    """PROTOCOL-HTTP2.md: without `application/grpc` a server answers 415, so that others see that it failed."""
    shown = given.decode("ascii", "backslashreplace")[:100]
    text = f"unsupported content type {shown!r}; this port serves gRPC: expected {_EXPECTED}"
    return plain(415, text, (b"accept-post", b"application/grpc, application/grpc+proto, application/grpc+json"))
