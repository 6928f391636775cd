"""The errors of reading documents, named by whose fault they are.

Owns the errors and their serialization between processes. Knows neither gRPC nor protos.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..kit.errors import Fault, Kind, ServiceError

_log = logging.getLogger(__name__)


class OcrError(ServiceError):
    """Reading failed. `field` is the invalid input, if any; `data` means the document itself."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message, faults=(Fault(field, message),) if field else ())
        self.field = field


class BadDocument(OcrError):
    """The client's file is empty, damaged or of an unsupported type."""

    kind = Kind.INVALID_ARGUMENT


class BadChoice(OcrError):
    """The client's request asks for something impossible: a language, a resolution, a media type."""

    kind = Kind.INVALID_ARGUMENT


class TooLarge(OcrError):
    """The client's file exceeds a limit: bytes, pages, pixels or characters."""

    # Not RESOURCE_EXHAUSTED, which is for quotas (AIP-193): clients would retry a request that can never succeed.
    kind = Kind.INVALID_ARGUMENT


class PasswordNeeded(OcrError):
    """The document is encrypted and the request has no password."""

    kind = Kind.FAILED_PRECONDITION


class PasswordWrong(OcrError):
    """The document is encrypted and the password does not open it."""

    kind = Kind.INVALID_ARGUMENT


class PageTimeout(OcrError):
    """A page took longer than the server allows; its worker was killed."""

    kind = Kind.DEADLINE_EXCEEDED


class WorkerDied(OcrError):
    """The worker process died while reading: the document crashed it, or the system killed it."""

    # Not UNAVAILABLE, which clients retry automatically: a document that crashes one worker crashes the next.
    kind = Kind.INTERNAL


class Busy(OcrError):
    """The server is reading the maximum number of documents; a later retry may succeed."""

    kind = Kind.RESOURCE_EXHAUSTED
    retry_seconds = 2.0  # about the time of one page on each core


class Unavailable(OcrError):
    """The pool of worker processes is not running."""

    kind = Kind.UNAVAILABLE
    retry_seconds = 5.0  # the pool's longest delay before it restarts workers


class Unexpected(OcrError):
    """A bug in this service. `message` is for the log and must not reach a client."""

    kind = Kind.INTERNAL


@contextmanager
def blame_document(message: str) -> Iterator[None]:
    """Convert any exception of a parser to BadDocument, except OcrError and MemoryError.

    A malicious file can make a parser raise any exception, which must not count as a failure of the server.
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
    """Returns the frame by which a worker sends an error."""
    cause = repr(error.__cause__) if error.__cause__ else None
    return {"kind": type(error).__name__, "message": error.message, "field": error.field, "cause": cause}


def from_wire(value: dict[str, str | None]) -> OcrError:
    """Returns the error in a worker's frame; an unknown kind becomes Unexpected."""
    kind = _BY_NAME.get(value.get("kind") or "", Unexpected)
    if value.get("cause"):
        _log.debug("%s: %s", value.get("message"), value["cause"])
    return kind(value.get("message") or "no message", value.get("field"))
