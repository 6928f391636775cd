"""The errors of work on clients' files in worker processes, named by whose fault they are.

Owns the errors and their serialization between processes. Knows neither gRPC nor protos.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import Fault, Kind, ServiceError

_log = logging.getLogger(__name__)


class WorkError(ServiceError):
    """Work on a file failed. `field` is the invalid input, if any; `data` means the file itself."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message, faults=(Fault(field, message),) if field else ())
        self.field = field


class BadDocument(WorkError):
    """The client's file is empty, damaged or of an unsupported type."""

    kind = Kind.INVALID_ARGUMENT


class BadChoice(WorkError):
    """The client's request asks for something impossible: a language, a resolution, a media type."""

    kind = Kind.INVALID_ARGUMENT


class TooLarge(WorkError):
    """The client's file exceeds a limit: bytes, pages, pixels or characters."""

    # Not RESOURCE_EXHAUSTED, which is for quotas (AIP-193): clients would retry a request that can never succeed.
    kind = Kind.INVALID_ARGUMENT


class TooSlow(TooLarge):
    """A task needs more processor time than the server allows; its worker was killed."""


class TaskTimeout(WorkError):
    """A task took longer than the server allows; its worker was killed."""

    kind = Kind.DEADLINE_EXCEEDED


class WorkerDied(WorkError):
    """The worker process died during a task: the document crashed it, or the system killed it."""

    # Not UNAVAILABLE, which clients retry automatically: a document that crashes one worker crashes the next.
    kind = Kind.INTERNAL


class Busy(WorkError):
    """The server is working on the maximum number of documents; a later retry may succeed."""

    kind = Kind.RESOURCE_EXHAUSTED
    retry_seconds = 2.0  # about the time of one page on each core


class Unavailable(WorkError):
    """The pool of worker processes is not running."""

    kind = Kind.UNAVAILABLE
    retry_seconds = 5.0  # the pool's longest delay before it restarts workers


class NotInstalled(WorkError):
    """The server lacks a program or a library for what the request asks for."""

    # Neither UNAVAILABLE, which clients retry automatically, nor FAILED_PRECONDITION, which blames the request.
    kind = Kind.UNIMPLEMENTED


class Unexpected(WorkError):
    """A bug in the service. `message` is for the log and must not reach a client."""

    kind = Kind.INTERNAL


@contextmanager
def blame_document(message: str) -> Iterator[None]:
    """Convert any exception of a parser to BadDocument, except WorkError and MemoryError.

    A malicious file can make a parser raise any exception, which must not count as a failure of the server.
    """
    try:
        yield
    except (WorkError, MemoryError):
        raise
    except Exception as error:
        raise BadDocument(message, "data") from error


_BY_NAME: dict[str, type[WorkError]] = {
    kind.__name__: kind for kind in (BadDocument, BadChoice, TooLarge, TaskTimeout, Unexpected)
}


def sent_by_workers(kind: type[WorkError]) -> type[WorkError]:
    """Let `from_wire` make errors of this class, which a service adds."""
    _BY_NAME[kind.__name__] = kind
    return kind


def to_wire(error: WorkError) -> dict[str, str | None]:
    """Returns the frame by which a worker sends an error."""
    cause = repr(error.__cause__) if error.__cause__ else None
    return {"kind": type(error).__name__, "message": error.message, "field": error.field, "cause": cause}


def from_wire(value: dict[str, str | None]) -> WorkError:
    """Returns the error in a worker's frame; an unknown kind becomes Unexpected."""
    kind = _BY_NAME.get(value.get("kind") or "", Unexpected)
    if value.get("cause"):
        _log.debug("%s: %s", value.get("message"), value["cause"])
    return kind(value.get("message") or "no message", value.get("field"))
