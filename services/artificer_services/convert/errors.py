"""The errors of conversions: those of the kit's workers.

Knows neither gRPC nor protos.
"""

from __future__ import annotations

from ..kit.workers.errors import (
    BadChoice,
    BadDocument,
    Busy,
    NotInstalled,
    TaskTimeout,
    TooLarge,
    Unexpected,
    WorkerDied,
    WorkError,
    from_wire,
    to_wire,
)

__all__ = [
    "BadChoice",
    "BadDocument",
    "Busy",
    "NotInstalled",
    "TaskTimeout",
    "TooLarge",
    "Unexpected",
    "WorkError",
    "WorkerDied",
    "from_wire",
    "to_wire",
]
