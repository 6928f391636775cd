"""The objects that all calls of a gateway share.

It knows no call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..origin import Lease
from .guard import Guard
from .pipe import Turns
from .run import Stragglers


class Environment(NamedTuple):
    """The objects that every call needs."""

    guard: Guard
    stragglers: Stragglers
    turns: Turns
    new_lease: Callable[[], Lease] | None
    """Makes the lease of a call when bytes of its request are to be counted; None if they are not."""
    unlimited: frozenset[str]
    """The paths of calls that get no lease."""
