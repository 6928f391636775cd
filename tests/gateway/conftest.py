"""What the tests of the gateway share: a listener for raw bytes, and the process's log."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio

from diptych.settings.telemetry import TelemetrySettings
from diptych.telemetry.logs import configure
from tests.conftest import WAYS
from tests.gateway.http1_client import Listener, listening


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=WAYS)
async def listener(request: pytest.FixtureRequest) -> AsyncIterator[Listener]:
    """The HTTP port of a gateway with its default settings, which serves unary calls in both ways."""
    async with listening(way=request.param) as one:
        yield one


@pytest.fixture
async def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Advances the loop's clock, so that real time-outs can be longer than pauses of a busy machine."""
    loop, ahead = asyncio.get_running_loop(), [0.0]
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + sum(ahead))
    return ahead.append


@contextmanager
def logging_to_text() -> Iterator[io.StringIO]:
    """Configures the process's log as the command does, and restores it."""
    root, access = logging.getLogger(), logging.getLogger("diptych.access")
    kept = (root.handlers[:], root.level, access.handlers[:], access.propagate)
    stream = io.StringIO()
    try:
        configure(TelemetrySettings(log_format="json"), "info", stream)
        yield stream
    finally:
        root.handlers, access.handlers, access.propagate = kept[0], kept[2], kept[3]
        root.setLevel(kept[1])
        logging.captureWarnings(False)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Returns what the process's log has."""
    with logging_to_text() as stream:
        yield stream
