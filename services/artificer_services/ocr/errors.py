"""The errors of reading documents: those of the kit's workers, and those of passwords.

Knows neither gRPC nor protos.
"""

from __future__ import annotations

from ..kit.errors import Kind
from ..kit.workers.errors import (
    BadChoice,
    BadDocument,
    Busy,
    TooLarge,
    TooSlow,
    Unavailable,
    Unexpected,
    WorkerDied,
    blame_document,
    sent_by_workers,
)
from ..kit.workers.errors import TaskTimeout as PageTimeout
from ..kit.workers.errors import WorkError as OcrError

__all__ = [
    "BadChoice",
    "BadDocument",
    "Busy",
    "OcrError",
    "PageTimeout",
    "PasswordNeeded",
    "PasswordWrong",
    "ScriptMissing",
    "Signed",
    "TooLarge",
    "TooSlow",
    "Unavailable",
    "Unexpected",
    "WorkerDied",
    "blame_document",
]


@sent_by_workers
class PasswordNeeded(OcrError):
    """The document is encrypted and the request has no password."""

    kind = Kind.FAILED_PRECONDITION


@sent_by_workers
class PasswordWrong(OcrError):
    """The document is encrypted and the password does not open it."""

    kind = Kind.INVALID_ARGUMENT


@sent_by_workers
class Signed(OcrError):
    """The document has a signature, which a change would break."""

    kind = Kind.FAILED_PRECONDITION


@sent_by_workers
class ScriptMissing(OcrError):
    """The page is in a script for which no language is installed."""

    kind = Kind.FAILED_PRECONDITION
