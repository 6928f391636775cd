"""The resources of the client and their methods, as the names of commands.

A resource without a connection shows what its class has; its module is imported when it is first looked at.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from ..._sync.api.root import Root

Path = tuple[str, ...]

# Methods that only prepare something; a command by hand uses it.
_PREPARING = {("orchestration", "pipeline")}


def resource(path: Path) -> Any:
    """Returns the resource at a path of Python names, without a connection. Raises AttributeError."""
    found: Any = Root(cast("Any", None))
    for name in path:
        found = getattr(found, name)
    return found


def resources(path: Path) -> list[str]:
    """Returns the names of the resources in the one at a path."""
    kind = type(resource(path))
    return [name for name in _public(kind) if isinstance(inspect.getattr_static(kind, name), cached_property)]


def methods(path: Path) -> dict[str, Callable[..., Any]]:
    """Returns the methods of a resource by their names."""
    kind = type(resource(path))
    found = {name: inspect.getattr_static(kind, name) for name in _public(kind)}
    return {name: one for name, one in found.items() if inspect.isfunction(one) and (*path, name) not in _PREPARING}


def _public(kind: type) -> list[str]:
    """Returns the names in the order in which they are written, those of a base class first."""
    names = dict.fromkeys(name for base in reversed(kind.__mro__) for name in vars(base))
    return [name for name in names if not name.startswith("_")]


def command_name(name: str) -> str:
    """Returns the name of a command: `make-searchable` for `make_searchable`."""
    return name.replace("_", "-")
