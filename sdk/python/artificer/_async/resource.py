"""The base of every resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .calls import AsyncCalls


class AsyncResource:
    """Methods on one kind of thing; made by the client."""

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls
