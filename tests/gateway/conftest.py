"""What the tests of HTTP/1.1 as raw bytes share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conftest import WAYS
from tests.gateway.http1_client import Listener, listening


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=WAYS)
async def listener(request: pytest.FixtureRequest) -> AsyncIterator[Listener]:
    """The HTTP port of a gateway with its default settings, which serves unary calls in both ways."""
    async with listening(way=request.param) as one:
        yield one
