"""What each method asks of its caller: found by pattern when the gateway is built, looked up when it is called.

It knows no credentials.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..settings.auth import AuthSettings
from .caller import Principal

logger = logging.getLogger("diptych.auth")


class AuthError(ValueError):
    """Settings of authentication that cannot be meant; says what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one method asks: all of `scopes`, one of `roles`; nothing at all where it is `public`."""

    public: bool = False
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    def lacking(self, caller: Principal) -> tuple[frozenset[str], frozenset[str]] | None:
        """The scopes that are missing, and the roles of which one would do; None where nothing is missing."""
        scopes = self.scopes - caller.scopes
        roles = self.roles if self.roles and self.roles.isdisjoint(caller.roles) else frozenset[str]()
        return (scopes, roles) if scopes or roles else None


KNOWN = Need()
"""A caller who is known, whoever it is."""


class Policy:
    """Needs by method. The most specific pattern decides alone: a full name first, then the longest beginning."""

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
        """What a method asks; one that no pattern names asks for a caller who is known."""
        exact = self._exact.get(method)
        if exact is not None:
            return exact
        return next((need for beginning, need in self._beginnings if method.startswith(beginning)), KNOWN)

    def table(self, methods: Iterable[str], *, open_ended: bool) -> dict[str, Need]:
        """The needs of all `methods`. Raises `AuthError` for a pattern that names none of them.

        Where handlers are found only when they are called (`open_ended`), such a pattern may be meant for them.
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
            raise AuthError(f"auth: nobody serves {', '.join(idle)}")
        logger.warning("no method is known that %s names: they count for generic handlers only", ", ".join(idle))


def _add(found: dict[str, Need], pattern: str, need: Need) -> None:
    if found.setdefault(pattern, need) != need:
        raise AuthError(f"auth: {pattern} stands in two rules, or in a rule and in public_methods")
