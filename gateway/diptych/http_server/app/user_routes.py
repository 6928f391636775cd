"""The routes that a user added to the application, sorted by how they are found.

It knows no face.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope


class UserRoutes:
    """The routes of `app`, sorted again whenever there are more."""

    def __init__(self, app: FastAPI) -> None:
        self._routes = app.router.routes
        self._counted = -1
        self._literal: dict[str, frozenset[str]] = {}
        self._others: list[BaseRoute] = []

    def verbs(self, path: str) -> frozenset[str] | None:
        """Returns the verbs of the routes with this literal path, found by one look-up; None without such a route."""
        if len(self._routes) != self._counted:
            self._sort()
        return self._literal.get(path)

    def matches(self, scope: Scope) -> set[Match]:
        """Returns how the routes with parameters, and mounts, match a request."""
        return {match for match, _ in (route.matches(scope) for route in self._others)} - {Match.NONE}

    def has_literal(self, path: str) -> bool:
        """Whether there is a route with this literal path."""
        if len(self._routes) != self._counted:
            self._sort()
        return path in self._literal

    def may_match(self, path: str) -> bool:
        """Whether any route could match a path, for some request."""
        if len(self._routes) != self._counted:
            self._sort()
        if path in self._literal:
            return True
        for route in self._others:
            regex = getattr(route, "path_regex", None)  # hosts have none, and may match any path
            if regex is None or regex.match(path):
                return True
        return False

    def _sort(self) -> None:
        routes = self._routes
        self._counted = len(routes)
        self._literal, self._others = {}, []
        for route in routes:
            if isinstance(route, Route) and "{" not in route.path and route.methods:
                before = self._literal.get(route.path, frozenset())
                self._literal[route.path] = before | route.methods
            else:
                self._others.append(route)
