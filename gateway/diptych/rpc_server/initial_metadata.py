"""Adds the gateway's own initial metadata to every answer, before the servicer's.

Of a call it knows only the context.
"""

from __future__ import annotations

from typing import Any

import grpc

from ..origin import Origin


class InitialMetadataContext:
    """Wraps a context so that `origin.initial` comes first in the initial metadata."""

    __slots__ = ("_context", "_origin", "_sent")

    def __init__(self, context: Any, origin: Origin) -> None:
        self._context, self._origin, self._sent = context, origin, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def send_own(self) -> None:
        """Sends it, unless the servicer has sent initial metadata."""
        if not self._sent:
            self._sent = True
            await self._context.send_initial_metadata(self._origin.initial)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        if self._sent:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        self._sent = True
        await self._context.send_initial_metadata((*self._origin.initial, *initial_metadata))

    async def write(self, message: Any) -> None:
        await self.send_own()
        await self._context.write(message)

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> Any:
        await self.send_own()
        return await self._context.abort(code, details, trailing_metadata)

    async def abort_with_status(self, status: grpc.Status) -> Any:
        await self.abort(status.code, status.details or "", status.trailing_metadata or ())
