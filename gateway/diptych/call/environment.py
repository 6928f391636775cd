"""The objects that all calls of a gateway share.

It knows no call.
"""

from __future__ import annotations

from typing import NamedTuple

from .guard import Guard
from .pipe import Turns
from .run import Stragglers


class Environment(NamedTuple):
    """The objects that every call needs."""

    guard: Guard
    stragglers: Stragglers
    turns: Turns
