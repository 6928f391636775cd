"""The interceptors that hold calls to their limits: `Shed` in front of all others, `Limit` once the caller is known.

Both answer before anything of the body is read. On gRPC's own port the connection is known, and a call is sure to end
where somebody notices, only once its behaviour runs: what needs either is asked there (`Origin.settle`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, TypeAlias

import grpc

from ..call.refusal import refusal
from ..methods import Handler
from ..origin import Origin, enter, origin
from ..status import Status
from .caps import Caps, Lease, Slots
from .keys import waits
from .rules import HEALTH, Plan, Rule, Table
from .statuses import LIMIT, POLICY, RETRY_AFTER, beyond_rate, beyond_slots, limit, retry_after
from .windows import Count

Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"
Ask: TypeAlias = "Callable[[Rule, str], Awaitable[Count | Status]]"
"""Counts a call elsewhere: a rule and a key."""


def _known() -> Origin:
    found = origin()
    if found is None:
        enter(found := Origin(protocol="grpc"))
    return found


class _Refusing:
    """How either of them answers by itself."""

    def __init__(self, streamed: Collection[str]) -> None:
        self._streamed = frozenset(streamed)

    def _refused(self, status: Status, known: Origin, method: str) -> Handler:
        known.initial = (*known.initial, (RETRY_AFTER, retry_after(status)))
        return refusal(status, streamed=method in self._streamed)


class Shed(_Refusing, grpc.aio.ServerInterceptor):
    """Refuses calls that are one too many for the process; `streamed` are the methods that take a stream."""

    def __init__(self, caps: Caps, streamed: Collection[str]) -> None:
        super().__init__(streamed)
        self._caps = caps

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        details: Any = handler_call_details
        if details.method.startswith(HEALTH):
            return await continuation(details)
        known, caps = _known(), self._caps
        if caps.full:
            return self._refused(caps.too_many, known, details.method)
        if known.settled:
            known.lease = Lease(caps, counted=True)
        else:
            known.settle = (*known.settle, partial(self._settled, known))
        return await continuation(details)

    async def _settled(self, known: Origin) -> Status | None:
        if self._caps.full:
            return self._caps.too_many
        known.lease = Lease(self._caps, counted=True)
        return None


class Limit(_Refusing, grpc.aio.ServerInterceptor):
    """Refuses calls beyond the rules' rates and numbers. `ask` counts them elsewhere than in memory."""

    def __init__(
        self,
        table: Table,
        caps: Caps,
        streamed: Collection[str],
        *,
        ask: Ask | None,
        headers: bool,
        retry_seconds: float,
    ) -> None:
        super().__init__(streamed)
        self._table, self._caps, self._ask = table, caps, ask
        self._headers, self._retry = headers, retry_seconds

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        details: Any = handler_call_details
        plan = self._table.of(details.method)
        if plan is None:
            return await continuation(details)
        known = _known()
        if self._headers and plan.policy:
            known.initial = (*known.initial, (POLICY, plan.policy))
        if known.settled:
            status = self._entered(known, plan) or await self._count(plan.rules, known, plan)
        else:
            status = await self._early(plan, known)
        if status is not None:
            return self._refused(status, known, details.method)
        return await continuation(details)

    async def _early(self, plan: Plan, known: Origin) -> Status | None:
        """What can be asked without the connection is asked now; whoever is let in is a call only later."""
        late = [rule for rule in plan.rules if waits(rule.by, known)]
        early = [rule for rule in plan.rules if rule not in late]
        status = self._room(early, known, plan) or await self._count(early, known, plan)
        if status is None:
            known.settle = (*known.settle, partial(self._late, plan, known, late))
        return status

    async def _late(self, plan: Plan, known: Origin, late: Sequence[Rule]) -> Status | None:
        # All of the numbers: others may have come since.
        return self._entered(known, plan) or await self._count(late, known, plan)

    # Whoever has no place yet: on gRPC's own port a call takes one only once it is sure to end.
    def _room(self, rules: Sequence[Rule], known: Origin, plan: Plan) -> Status | None:
        for rule in rules:
            slots = rule.slots
            if slots is not None and slots.full(rule.key(known, plan.method)):
                return beyond_slots(rule.name, slots.most, self._retry)
        return None

    def _entered(self, known: Origin, plan: Plan) -> Status | None:
        """The call is one of those at once from now on, where there is room for it."""
        places: list[tuple[Slots, str]] = []
        for rule in plan.rules:
            slots = rule.slots
            if slots is None:
                continue
            key = rule.key(known, plan.method)
            if slots.full(key):
                return beyond_slots(rule.name, slots.most, self._retry)
            places.append((slots, key))
        if places:
            if known.lease is None:
                known.lease = Lease(self._caps, counted=False)
            for slots, key in places:
                known.lease.hold(slots, key)
        return None

    async def _count(self, rules: Sequence[Rule], known: Origin, plan: Plan) -> Status | None:
        told: list[str] = []
        status: Status | None = None
        for rule in rules:
            if rule.window is None or rule.rate is None:
                continue
            key = rule.key(known, plan.method)
            count = rule.window.hit(key) if self._ask is None else await self._ask(rule, key)
            if isinstance(count, Status):
                return count
            if self._headers:
                told.append(limit(rule.name, count.left, count.seconds))
            if not count.allowed:
                status = beyond_rate(rule.name, *rule.rate, count.seconds)
                break
        if told:
            known.initial = (*known.initial, (LIMIT, ", ".join(told)))
        return status
