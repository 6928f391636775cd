"""What the tests of limits look at: what a gateway holds for calls in flight."""

from __future__ import annotations

from diptych import Gateway
from tests.waiting import until_here


def held(gateway: Gateway) -> tuple[int, int, int]:
    """Calls and bytes in flight, and callers with calls at once."""
    limits = gateway.limits
    rules = [] if limits.table is None else limits.table.rules
    return limits.caps.calls, limits.caps.bytes, sum(len(rule.slots.taken) for rule in rules if rule.slots)


async def quiet(gateway: Gateway) -> None:
    """Until nothing is held any more, which has to come about by itself."""
    await until_here(lambda: held(gateway) == (0, 0, 0))
