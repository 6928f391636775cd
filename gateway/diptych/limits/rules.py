"""The rules of the settings, resolved when the gateway is built: which apply to a method, and how each counts.

It knows a call only by its origin.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..settings.errors import closest
from ..settings.limits import By, LimitRule, LimitsSettings, Rate
from .caps import Slots
from .keys import Key, key_of
from .statuses import policy
from .windows import STRATEGIES, Window

logger = logging.getLogger("diptych.limits")

HEALTH = "/grpc.health.v1.Health/"
"""Exempt from rules that do not name it: an orchestrator restarts a server whose health checks are refused."""


class LimitError(ValueError):
    """Inconsistent settings of limits; says what to change."""


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
class MethodLimits:
    """The rules of one method, and their `ratelimit-policy` header."""

    rules: tuple[Rule, ...]
    policy: str
    """Empty without a rate."""
    method: str
    """The method's name in keys: "*" for all methods of generic handlers, whose number is not bounded."""

    @classmethod
    def of(cls, rules: Sequence[Rule], method: str) -> MethodLimits:
        """Makes the plan of a method."""
        rates = [(rule.name, *rule.rate) for rule in rules if rule.rate is not None]
        return cls(tuple(rules), ", ".join([policy(*rate) for rate in rates]), method)


class RuleTable:
    """Plans by method. Raises `LimitError` for a pattern that matches no method."""

    def __init__(self, settings: LimitsSettings, methods: Collection[str], *, open_ended: bool) -> None:
        self._rules = list(zip(settings.rules, _resolved(settings), strict=True))
        self._open = open_ended
        self._check(methods)
        self._plans: Mapping[str, MethodLimits] = {
            method: plan for method in methods if (plan := self._plan(method, method)) is not None
        }
        self._known = frozenset(methods)

    def of(self, method: str) -> MethodLimits | None:
        """Returns the plan of a method; None if no rule applies to it."""
        plan = self._plans.get(method)
        if plan is None and self._open and method not in self._known:
            return self._plan(method, "*")
        return plan

    def _plan(self, method: str, counted: str) -> MethodLimits | None:
        found = [rule for setting, rule in self._rules if any(_fits(one, method) for one in setting.methods)]
        return MethodLimits.of(found, counted) if found else None

    @property
    def rules(self) -> Sequence[Rule]:
        """All rules, in the order of the settings."""
        return [rule for _, rule in self._rules]

    def _check(self, methods: Collection[str]) -> None:
        patterns = dict.fromkeys(pattern for setting, _ in self._rules for pattern in setting.methods)
        idle = [one for one in patterns if not any(_fits(one, method) for method in methods)]
        if idle and not self._open:
            told = ", ".join(one + closest(one, methods) for one in idle)
            raise LimitError(f"limits: no served method matches {told}")
        if idle:
            logger.warning(
                "limits: no registered method matches %s; only generic handlers may serve it", ", ".join(idle)
            )


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
                raise LimitError(f"limits: two rules have the name {name!r}; give each its own")
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
