"""Puts services behind one gateway, with their lifecycles, readiness, metrics, pages and body limits.

Knows the interface `Service`, and no service by name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from diptych import Gateway, Settings

from .lifecycle import Service


def gateway_of(settings: Settings, services: Sequence[Service]) -> Gateway:
    """Returns a gateway with these services, which start in this order and stop in reverse."""

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for service in services:
                await stack.enter_async_context(service.lifespan(app))
            yield

    gateway = Gateway(
        _with_body_limits(settings, services),
        lifespan=lifespan,
        readiness={name: check for one in services for name, check in one.checks.items()},
        on_stop=[service.begin_shutdown for service in services],
        collectors=[collector for service in services for collector in service.collectors],
    )
    gateway.closing_seconds = sum(service.stop_seconds for service in services)  # one after another
    for service in services:
        service.register(gateway)
        service.add_page(gateway.app)
    return gateway


def _with_body_limits(settings: Settings, services: Sequence[Service]) -> Settings:
    needed = {path: limit for service in services for path, limit in service.body_limits.items()}
    return settings.model_copy(update={"method_max_body_bytes": {**needed, **settings.method_max_body_bytes}})
