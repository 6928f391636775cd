"""The settings' rules, resolved when the gateway is built: which of them count for a method, and how each counts.

It knows no call but by its origin.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..settings.limits import By, LimitRule, LimitsSettings, Rate
from .caps import Slots
from .keys import Key, key_of
from .statuses import policy
from .windows import STRATEGIES, Window

logger = logging.getLogger("diptych.limits")

HEALTH = "/grpc.health.v1.Health/"
"""What is spared by all that does not name it: whoever asks for health restarts those who do not answer."""


class LimitError(ValueError):
    """Settings of limits that cannot be meant; says what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; `window` counts its `rate` in memory."""

    name: str
    by: tuple[By, ...]
    key: Key
    rate: Rate | None = None
    window: Window | None = None
    slots: Slots | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules of one method, and what clients are told of them before they are counted."""

    rules: tuple[Rule, ...]
    policy: str
    """Empty where there is no rate."""
    method: str
    """What it is counted as: of methods that are found only when they are called, all are one."""

    @classmethod
    def of(cls, rules: Sequence[Rule], method: str) -> Plan:
        """Resolved."""
        rates = [(rule.name, *rule.rate) for rule in rules if rule.rate is not None]
        return cls(tuple(rules), ", ".join([policy(*rate) for rate in rates]), method)


class Table:
    """Plans by method. Raises `LimitError` for a pattern that names no method."""

    def __init__(self, settings: LimitsSettings, methods: Collection[str], *, open_ended: bool) -> None:
        self._rules = list(zip(settings.rules, _resolved(settings), strict=True))
        self._open = open_ended
        self._check(methods)
        self._plans: Mapping[str, Plan] = {
            method: plan for method in methods if (plan := self._plan(method, method)) is not None
        }
        self._known = frozenset(methods)

    def of(self, method: str) -> Plan | None:
        """What counts for a method; None where nothing does."""
        plan = self._plans.get(method)
        if plan is None and self._open and method not in self._known:
            return self._plan(method, "*")
        return plan

    def _plan(self, method: str, counted: str) -> Plan | None:
        found = [rule for setting, rule in self._rules if any(_fits(one, method) for one in setting.methods)]
        return Plan.of(found, counted) if found else None

    @property
    def rules(self) -> Sequence[Rule]:
        """All of them."""
        return [rule for _, rule in self._rules]

    def _check(self, methods: Collection[str]) -> None:
        patterns = dict.fromkeys(pattern for setting, _ in self._rules for pattern in setting.methods)
        idle = [one for one in patterns if not any(_fits(one, method) for method in methods)]
        if idle and not self._open:
            raise LimitError(f"limits: nobody serves {', '.join(idle)}")
        if idle:
            logger.warning("no method is known that %s names: they count for generic handlers only", ", ".join(idle))


def _fits(pattern: str, method: str) -> bool:
    if method.startswith(HEALTH) and not pattern.startswith("/grpc.health.v1."):
        return False
    return method.startswith(pattern[:-1]) if pattern.endswith("*") else method == pattern


def _resolved(settings: LimitsSettings) -> list[Rule]:
    used: Counter[str] = Counter()
    found: list[Rule] = []
    for setting in settings.rules:
        name = setting.name or "-".join(setting.by) or "all"
        used[name] += 1
        if used[name] > 1:
            if setting.name is not None:
                raise LimitError(f"limits: two rules are called {name}")
            name = f"{name}-{used[name]}"
        found.append(_rule(setting, name, settings))
    return found


def _rule(setting: LimitRule, name: str, settings: LimitsSettings) -> Rule:
    rate = setting.parsed
    return Rule(
        name=name,
        by=setting.by,
        key=key_of(setting.by, settings.ipv6_prefix),
        rate=rate,
        window=None if rate is None else STRATEGIES[settings.strategy](rate.calls, rate.seconds, settings.max_keys),
        slots=None if setting.concurrent is None else Slots(setting.concurrent),
    )
