"""Bytes that a server streams."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import platform
from .transport import AsyncResponses

if TYPE_CHECKING:
    from typing import Self

Progress = Callable[[int, int | None], None]


class AsyncDownload:
    """The bytes of an answer, in pieces as they arrive; `content_type` is known once the first has.

    They are read once: iterating, `read` and `save` raise RuntimeError afterwards.
    """

    def __init__(self, opened: Callable[[], Awaitable[AsyncResponses[Any]]], progress: Progress | None = None) -> None:
        self._open, self._progress = opened, progress
        self._responses: AsyncResponses[Any] | None = None
        self._ended = False
        self.content_type: str = ""

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        responses = await self._begin()
        self._ended = True
        received = 0
        async for body in responses:
            self.content_type = self.content_type or body.content_type
            received += len(body.data)
            if self._progress is not None:
                self._progress(received, None)
            if body.data:
                yield body.data

    async def read(self) -> bytes:
        """Returns all bytes."""
        try:
            return b"".join([piece async for piece in self])
        finally:
            await self.aclose()

    async def save(self, path: str | os.PathLike[str]) -> int:
        """Writes the bytes to a file, which appears only when it is whole; returns their number."""
        try:
            return await platform.save(path, self)
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Ends the call."""
        self._ended = True
        responses, self._responses = self._responses, None
        if responses is not None:
            await responses.aclose()

    async def _begin(self) -> AsyncResponses[Any]:
        if self._ended:
            raise RuntimeError("these bytes have been read, or their call has ended; call the method again for others")
        if self._responses is None:
            self._responses = await self._open()
        return self._responses
