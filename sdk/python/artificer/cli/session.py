"""A command's session with a gateway: the client, what a failed call means to the user, and how long a command waits.

A server that has never answered fails at once; a server that has answered before is given time to come back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from .. import errors as sdk
from .connection import Connection, by_flags
from .errors import Failed, Refused, Unreachable, Usage

if TYPE_CHECKING:
    from artificer import Artificer

    from .._options import CallRecord
    from .._sync.pages import Pager

PATIENCE_SECONDS = 60.0  # of retries for a server that has answered before; a restart takes a few seconds
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
_LOST = (sdk.UnavailableError, sdk.CancelledError)  # a gateway that stops cancels its streams
_CREDENTIALS = "--token or ARTIFICER_TOKEN, --api-key or ARTIFICER_API_KEY, or --cert"

R = TypeVar("R")


class Session:
    """The client, opened when it is first used. `answered` says whether the gateway has answered any call."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.answered = False

    @cached_property
    def client(self) -> Artificer:
        """The client. Raises Usage, OSError as `Connection.client` does."""
        return self.connection.client(self._record)

    def close(self) -> None:
        """Ends every call."""
        if "client" in self.__dict__:
            self.client.close()

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Raises the SDK's errors as those of a command."""
        try:
            yield
        except sdk.APIError as error:
            raise self.failure(error) from None
        except sdk.ArtificerError as error:  # a request that cannot be sent
            raise Usage(str(error)) from None

    def patiently(self, attempt: Callable[[], R]) -> R:
        """Returns the result of `attempt`, retried while a known server is unreachable. Raises Refused, Unreachable.

        The attempt must be safe to repeat.
        """
        waits = _Waits()
        while True:
            try:
                return attempt()
            except sdk.APIError as error:
                self._wait_or_raise(error, waits)

    def elements(self, pager: Pager[R]) -> Iterator[R]:
        """Yields the elements of every page; a page is requested again after a broken connection."""
        token = ""
        while True:
            page, token = self.patiently(lambda: pager.page(token))  # noqa: B023, called at once
            yield from page
            if not token:
                return

    def follow(self, opened: Callable[[], Iterator[R]]) -> Iterator[R]:
        """Yields the messages of a stream. After a broken connection it calls `opened` again and continues."""
        waits, received = _Waits(), False
        while True:
            try:
                for message in opened():
                    received, waits = True, _Waits()
                    yield message
            except sdk.APIError as error:
                # RESOURCE_EXHAUSTED ends the stream of a reader that fell behind, which resumes where it was.
                if not (received and isinstance(error, sdk.ResourceExhaustedError)):
                    self._wait_or_raise(error, waits)
                received = False
            else:
                return

    def _wait_or_raise(self, error: sdk.APIError, waits: _Waits) -> None:
        if not (self.answered and isinstance(error, _LOST) and waits.left):
            raise self.failure(error) from None
        waits.wait()

    def failure(self, error: sdk.APIError) -> Failed:
        """Returns the error that a command reports for a failed call, without secrets that the server repeats."""
        address, text = self.connection.address, _told(error)
        for secret in self.connection.secrets:
            text = text.replace(secret, "…")
        match error:
            case sdk.UnavailableError() | sdk.CancelledError():
                why = by_flags(text)
                for start in ("no connection to the server: ", "the server cannot be reached: "):
                    why = why.removeprefix(start)
                return Unreachable(f"{address} cannot be reached: {why}")
            case sdk.DeadlineExceededError():
                return Unreachable(f"{address} did not answer in time")
            case sdk.UnauthenticatedError():
                if self.connection.has_credentials:
                    return Refused(error.code, f"{address} rejected the credentials: {text}")
                return Refused(error.code, f"{address} requires credentials: {_CREDENTIALS}")
            case sdk.PermissionDeniedError():
                return Refused(error.code, f"{address} denied permission: {text}")
        return Refused(error.code, text)

    def _record(self, record: CallRecord) -> None:
        self.answered = self.answered or record.code == "OK"


class _Waits:
    """Growing delays between retries, within the retry period."""

    def __init__(self) -> None:
        self._next = _FIRST_WAIT
        self._until = time.monotonic() + PATIENCE_SECONDS

    @property
    def left(self) -> bool:
        return time.monotonic() < self._until

    def wait(self) -> None:
        time.sleep(self._next * random.uniform(0.5, 1.0))  # noqa: S311, spreads the retries of clients
        self._next = min(self._next * 2, _LONGEST_WAIT)


def _told(error: sdk.APIError) -> str:
    missing = [one for one in error.field_violations if one.description not in error.message]
    found = "; ".join(f"{one.field}: {one.description}" for one in missing)
    return f"{error.message} ({found})" if found else error.message
