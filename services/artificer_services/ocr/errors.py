"""The errors of reading documents, named by whose fault they are.

Owns the error values and their form on the wire between processes. Knows neither gRPC nor protos: `servicer` maps
these to statuses.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)


class OcrError(Exception):
    """Reading failed. `message` is safe to show to a client; `field` is the input at fault, where one is."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class BadDocument(OcrError):
    """The client's file is empty, broken or of another type."""


class BadChoice(OcrError):
    """The client's request asks for something that cannot be done: a language, a resolution, a media type."""


class TooLarge(OcrError):
    """The client's file is over a limit: bytes, pages, pixels or characters."""


class PasswordNeeded(OcrError):
    """The document is encrypted and no password came with it."""


class PasswordWrong(OcrError):
    """The document is encrypted and the password does not open it."""


class PageTimeout(OcrError):
    """A page took longer than the server allows; its worker was ended."""


class WorkerDied(OcrError):
    """The process that was reading ended in the middle: the document crashed it, or the system ended it."""


class Busy(OcrError):
    """As many requests as the server admits are being served; try again later."""


class Unavailable(OcrError):
    """The pool of worker processes is not running."""


class Unexpected(OcrError):
    """A defect of this service. `message` is for the log and never for a client."""


@contextmanager
def blame_document(message: str) -> Iterator[None]:
    """Turn whatever a parser raises over a client's file into BadDocument.

    Parsers raise anything over a hostile file, and a client's file must never count as the server's failure. Errors
    that are already told apart, and MemoryError, pass.
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
    cause = repr(error.__cause__) if error.__cause__ else None
    return {"kind": type(error).__name__, "message": error.message, "field": error.field, "cause": cause}


def from_wire(value: dict[str, str | None]) -> OcrError:
    kind = _BY_NAME.get(value.get("kind") or "", Unexpected)
    if value.get("cause"):
        _log.debug("%s: %s", value.get("message"), value["cause"])
    return kind(value.get("message") or "no message", value.get("field"))
