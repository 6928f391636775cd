"""Shared by the tests of limits: the resources that a gateway holds for calls in flight."""

from __future__ import annotations

from diptych import Gateway
from tests.waiting import until_here


def held(gateway: Gateway) -> tuple[int, int, int]:
    """Returns calls and bytes in flight, and the number of callers with concurrent calls."""
    limits = gateway.limits
    rules = [] if limits.table is None else limits.table.rules
    return limits.caps.calls, limits.caps.bytes, sum(len(rule.slots.counts) for rule in rules if rule.slots)


async def quiet(gateway: Gateway) -> None:
    """Waits until nothing is held."""
    await until_here(lambda: held(gateway) == (0, 0, 0))
