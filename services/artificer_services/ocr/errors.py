"""The errors of reading documents, named by whose fault they are.

Owns the error values and their form between processes. Knows neither gRPC nor protos.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..kit.errors import Fault, Kind, ServiceError

_log = logging.getLogger(__name__)


class OcrError(ServiceError):
    """Reading failed. `field` is the input at fault, if any; `data` stands for the document itself."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message, faults=(Fault(field, message),) if field else ())
        self.field = field


class BadDocument(OcrError):
    """The client's file is empty, broken or of another type."""

    kind = Kind.INVALID_ARGUMENT


class BadChoice(OcrError):
    """The client's request asks for something impossible: a language, a resolution, a media type."""

    kind = Kind.INVALID_ARGUMENT


class TooLarge(OcrError):
    """The client's file exceeds a limit: bytes, pages, pixels or characters."""

    # Not RESOURCE_EXHAUSTED: that is for quotas (AIP-193), and clients would retry what can never succeed.
    kind = Kind.INVALID_ARGUMENT


class PasswordNeeded(OcrError):
    """The document is encrypted and no password came with it."""

    kind = Kind.FAILED_PRECONDITION


class PasswordWrong(OcrError):
    """The document is encrypted and the password does not open it."""

    kind = Kind.INVALID_ARGUMENT


class PageTimeout(OcrError):
    """A page took longer than the server allows; its worker was ended."""

    kind = Kind.DEADLINE_EXCEEDED


class WorkerDied(OcrError):
    """The worker process ended while it was reading: the document crashed it, or the system ended it."""

    # Not UNAVAILABLE: clients retry that by themselves, and a document that crashes one worker crashes the next.
    kind = Kind.INTERNAL


class Busy(OcrError):
    """The server reads as many documents as it admits; a later retry may succeed."""

    kind = Kind.RESOURCE_EXHAUSTED
    retry_seconds = 2.0  # about a page for every core


class Unavailable(OcrError):
    """The pool of worker processes is not running."""

    kind = Kind.UNAVAILABLE
    retry_seconds = 5.0  # the pool's longest wait before it tries to start workers again


class Unexpected(OcrError):
    """A defect of this service. `message` is for the log and never for a client."""

    kind = Kind.INTERNAL


@contextmanager
def blame_document(message: str) -> Iterator[None]:
    """Turn any exception of a parser into BadDocument.

    A hostile file can make a parser raise anything, and a client's file must never count as the server's failure.
    OcrError and MemoryError pass unchanged.
    """
    try:
        yield
    except (OcrError, MemoryError):
        raise
    except Exception as error:
        raise BadDocument(message, "data") from error


_BY_NAME: dict[str, type[OcrError]] = {
    kind.__name__: kind
    for kind in (BadDocument, BadChoice, TooLarge, PasswordNeeded, PasswordWrong, PageTimeout, Unexpected)
}


def to_wire(error: OcrError) -> dict[str, str | None]:
    """Return an error as a worker sends it."""
    cause = repr(error.__cause__) if error.__cause__ else None
    return {"kind": type(error).__name__, "message": error.message, "field": error.field, "cause": cause}


def from_wire(value: dict[str, str | None]) -> OcrError:
    """Return the error that a worker sent; an unknown kind is Unexpected."""
    kind = _BY_NAME.get(value.get("kind") or "", Unexpected)
    if value.get("cause"):
        _log.debug("%s: %s", value.get("message"), value["cause"])
    return kind(value.get("message") or "no message", value.get("field"))
