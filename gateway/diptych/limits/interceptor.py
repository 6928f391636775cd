"""The interceptors that enforce limits: `Shed` before all others, `Limit` after authentication.

Both answer before any of the body is read. On grpcio's port the connection is known only once the behaviour runs, and
only from there on is a call's end always seen: checks that need either are deferred until then (`Origin.settle`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, TypeAlias

import grpc

from ..call import UNDECIDED, ImmediateInterceptor, Undecided
from ..call.refusal import refusal
from ..metadata import Metadata
from ..methods import Handler
from ..origin import Origin, enter, origin
from ..status import Status
from .caps import Caps, Slots
from .keys import waits
from .rules import HEALTH, MethodLimits, Rule, RuleTable
from .statuses import LIMIT, POLICY, RETRY_AFTER, beyond_rate, beyond_slots, limit, retry_after
from .windows import Count

Continuation: TypeAlias = "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]"
Ask: TypeAlias = "Callable[[Rule, str], Awaitable[Count | Status]]"
"""Counts a call outside this process, by rule and key."""


def _known() -> Origin:
    found = origin()
    if found is None:
        enter(found := Origin(protocol="grpc"))
    return found


class _Refusing:
    """Answers refused calls."""

    def __init__(self, streamed: Collection[str]) -> None:
        self._streamed = frozenset(streamed)

    def _refused(self, status: Status, known: Origin, method: str) -> Handler:
        known.initial = (*known.initial, (RETRY_AFTER, retry_after(status)))
        return refusal(status, streamed=method in self._streamed)


class Shed(_Refusing, ImmediateInterceptor):
    """Refuses calls beyond the process's caps; `streamed` are the client-streaming methods."""

    def __init__(self, caps: Caps, streamed: Collection[str]) -> None:
        super().__init__(streamed)
        self._caps = caps

    def decide(self, path: str, metadata: Metadata, known: Origin) -> Handler | Undecided | None:
        """Does the same as `intercept_service` if the connection is known."""
        if path.startswith(HEALTH):
            return None
        if not known.settled:
            return UNDECIDED
        if self._caps.full:
            return self._refused(self._caps.too_many, known, path)
        known.lease = self._caps.lease_counted()
        return None

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
            known.lease = caps.lease_counted()
        else:
            known.settle = (*known.settle, partial(self._settled, known))
        return await continuation(details)

    async def _settled(self, known: Origin) -> Status | None:
        if self._caps.full:
            return self._caps.too_many
        known.lease = self._caps.lease_counted()
        return None


class Limit(_Refusing, ImmediateInterceptor):
    """Refuses calls beyond the rules' rates and concurrency. `ask` counts rates outside this process."""

    def __init__(
        self,
        table: RuleTable,
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

    def decide(self, path: str, metadata: Metadata, known: Origin) -> Handler | Undecided | None:
        """Does the same as `intercept_service` if the connection is known, and rates are counted in this process."""
        plan = self._table.of(path)
        if plan is None:
            return None
        if not known.settled or self._ask is not None:
            return UNDECIDED
        self._describe(plan, known)
        status = self._entered(known, plan) or self._counted(plan.rules, known, plan)
        return None if status is None else self._refused(status, known, path)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        details: Any = handler_call_details
        plan = self._table.of(details.method)
        if plan is None:
            return await continuation(details)
        known = _known()
        self._describe(plan, known)
        if known.settled:
            status = self._entered(known, plan) or await self._count(plan.rules, known, plan)
        else:
            status = await self._early(plan, known)
        if status is not None:
            return self._refused(status, known, details.method)
        return await continuation(details)

    async def _early(self, plan: MethodLimits, known: Origin) -> Status | None:
        """Checks the rules that do not need the connection, and defers the others and the slots."""
        late = [rule for rule in plan.rules if waits(rule.by, known)]
        early = [rule for rule in plan.rules if rule not in late]
        status = self._room(early, known, plan) or await self._count(early, known, plan)
        if status is None:
            known.settle = (*known.settle, partial(self._late, plan, known, late))
        return status

    async def _late(self, plan: MethodLimits, known: Origin, late: Sequence[Rule]) -> Status | None:
        # All slots are checked again: other calls may have acquired them since `_early`.
        return self._entered(known, plan) or await self._count(late, known, plan)

    # Checks slots without acquiring any: on grpcio's port a call whose behaviour never runs would not release them.
    def _room(self, rules: Sequence[Rule], known: Origin, plan: MethodLimits) -> Status | None:
        for rule in rules:
            slots = rule.slots
            if slots is not None and slots.full(rule.key(known, plan.method)):
                return beyond_slots(rule.name, slots.most, self._retry)
        return None

    def _entered(self, known: Origin, plan: MethodLimits) -> Status | None:
        """Takes a slot of every rule, or returns the status of the first that is full."""
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
                known.lease = self._caps.lease()
            for slots, key in places:
                known.lease.hold(slots, key)
        return None

    async def _count(self, rules: Sequence[Rule], known: Origin, plan: MethodLimits) -> Status | None:
        if self._ask is None:
            return self._counted(rules, known, plan)
        values: list[str] = []
        status: Status | None = None
        for rule in rules:
            if rule.rate is not None and rule.window is not None:
                count = await self._ask(rule, rule.key(known, plan.method))
                if isinstance(count, Status):
                    return count
                status = self._outcome(rule, count, values)
            if status is not None:
                break
        self._tell(values, known)
        return status

    def _counted(self, rules: Sequence[Rule], known: Origin, plan: MethodLimits) -> Status | None:
        """Counts a call in this process, until a rule refuses it."""
        values: list[str] = []
        status: Status | None = None
        for rule in rules:
            if rule.window is not None:
                status = self._outcome(rule, rule.window.hit(rule.key(known, plan.method)), values)
            if status is not None:
                break
        self._tell(values, known)
        return status

    def _outcome(self, rule: Rule, count: Count, values: list[str]) -> Status | None:
        """Adds what a header says of the count to `values`; returns the status if the rule refuses the call."""
        if rule.rate is None:
            return None
        if self._headers:
            values.append(limit(rule.name, count.left, count.seconds))
        return None if count.allowed else beyond_rate(rule.name, *rule.rate, count.seconds)

    def _describe(self, plan: MethodLimits, known: Origin) -> None:
        if self._headers and plan.policy:
            known.initial = (*known.initial, (POLICY, plan.policy))

    def _tell(self, values: Sequence[str], known: Origin) -> None:
        if values:
            known.initial = (*known.initial, (LIMIT, ", ".join(values)))
