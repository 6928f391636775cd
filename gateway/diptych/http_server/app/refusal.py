"""Answers HTTP requests that are refused before any face sees them, in the form that their client reads.

It decides nothing: `hosts` and `cross_site` do.
"""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from ...exchange import Exchange
from ...status import Status
from .faces import Faces


async def refuse(faces: Faces, status: Status, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the error of the request's RPC protocol, or with that of REST if it uses none."""
    if await faces.rpc.refuse(status, scope, receive, send):
        return
    reply = faces.errors.reply(status)
    faces.session.unmatched(scope, "rest", reply.status)
    await Exchange(scope, receive, send).reply(reply)
