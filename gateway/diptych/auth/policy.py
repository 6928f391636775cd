"""What each method requires of its caller: resolved from patterns when the gateway is built.

It knows no credentials.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..settings.auth import AuthSettings
from ..settings.errors import closest
from .caller import Principal

logger = logging.getLogger("diptych.auth")


class AuthError(ValueError):
    """Inconsistent settings of authentication; says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one method requires: all of `scopes`, one of `roles`; no credentials at all if it is `public`."""

    public: bool = False
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    def lacking(self, caller: Principal) -> tuple[frozenset[str], frozenset[str]] | None:
        """Returns the missing scopes, and the roles of which one is required; None if nothing is missing."""
        scopes = self.scopes - caller.scopes
        roles = self.roles if self.roles and self.roles.isdisjoint(caller.roles) else frozenset[str]()
        return (scopes, roles) if scopes or roles else None


KNOWN = Need()
"""Requires an authenticated caller, and no scope or role."""


class Policy:
    """Needs by method. Only the most specific pattern applies: a full name first, then the longest prefix."""

    def __init__(self, settings: AuthSettings) -> None:
        self._exact: dict[str, Need] = {}
        found: dict[str, Need] = {}
        for pattern in settings.public_methods:
            _add(found, pattern, Need(public=True))
        for rule in settings.rules:
            need = Need(scopes=frozenset(rule.scopes), roles=frozenset(rule.roles))
            for pattern in rule.methods:
                _add(found, pattern, need)
        self._exact = {pattern: need for pattern, need in found.items() if not pattern.endswith("*")}
        self._beginnings = sorted(
            ((pattern[:-1], need) for pattern, need in found.items() if pattern.endswith("*")),
            key=lambda pair: -len(pair[0]),
        )

    def of(self, method: str) -> Need:
        """Returns what a method requires: an authenticated caller if no pattern matches it."""
        exact = self._exact.get(method)
        if exact is not None:
            return exact
        return next((need for beginning, need in self._beginnings if method.startswith(beginning)), KNOWN)

    def table(self, methods: Iterable[str], *, open_ended: bool) -> dict[str, Need]:
        """Returns the needs of all `methods`. Raises `AuthError` for a pattern that matches none of them.

        With generic handlers (`open_ended`) it only warns, since such a pattern may be meant for their methods.
        """
        known = list(methods)
        self._check(known, open_ended=open_ended)
        return {method: self.of(method) for method in known}

    def _check(self, known: Collection[str], *, open_ended: bool) -> None:
        beginnings = [beginning for beginning, _ in self._beginnings]
        idle = [f"{one}*" for one in beginnings if not any(method.startswith(one) for method in known)]
        idle += sorted(self._exact.keys() - set(known))
        if not idle:
            return
        if not open_ended:
            told = ", ".join(one + closest(one, known) for one in idle)
            raise AuthError(f"auth: no served method matches {told}")
        logger.warning("auth: no registered method matches %s; only generic handlers may serve it", ", ".join(idle))


def _add(found: dict[str, Need], pattern: str, need: Need) -> None:
    if found.setdefault(pattern, need) != need:
        raise AuthError(f"auth: {pattern} is in two rules, or in a rule and in public_methods; keep one")
