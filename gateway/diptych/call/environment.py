"""What all calls of a gateway have in common.

It knows no call.
"""

from __future__ import annotations

from typing import NamedTuple

from .guard import Guard
from .run import Stragglers


class Environment(NamedTuple):
    """What every call is given."""

    guard: Guard
    stragglers: Stragglers
