"""The ASGI app that answers requests whose head is too large to be read.

It knows no frame.
"""

from __future__ import annotations

import re

from starlette.types import Receive, Scope, Send

from ...reply import ErrorReplier
from ...status import Code, Status
from .limits import MAX_HEADER_BYTES

HEAD_TOO_LARGE = Status(
    code=Code.RESOURCE_EXHAUSTED,
    message=f"the request's headers exceed {MAX_HEADER_BYTES} bytes; send fewer or shorter ones",
    http=431,
)

_GRPC = re.compile(rb"application/grpc(?:[+;]|\Z)")  # gRPC-Web is not among them


class HeadTooLarge:
    """Answers each request with RESOURCE_EXHAUSTED: gRPC in its trailers, others as HTTP 431."""

    def __init__(self, errors: ErrorReplier) -> None:
        self._reply = errors.reply(HEAD_TOO_LARGE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = dict(scope["headers"]).get(b"content-type", b"")
        if not _GRPC.match(kind):
            await send({"type": "http.response.start", "status": self._reply.status, "headers": self._reply.headers})
            await send({"type": "http.response.body", "body": self._reply.body})
            return
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS, "trailers": True})
        await send({"type": "http.response.body", "body": b""})
        await send({"type": "http.response.trailers", "headers": _TRAILERS})


_HEADERS = [(b"content-type", b"application/grpc")]
_TRAILERS = [
    (b"grpc-status", b"%d" % HEAD_TOO_LARGE.number),
    (b"grpc-message", HEAD_TOO_LARGE.message.encode()),  # printable ASCII without a percent sign, so nothing to encode
]
