"""The connection to a gateway, which retries calls and reopens streams.

Every call of the batch API is safe to repeat, so one rule serves all. A server that has never answered fails at once; a
server that has answered before is given time to come back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import grpc

from artificer.batch.v1 import batch_service_pb2_grpc as rpc

from .access import Access, channel
from .errors import Failed, Refused, Unreachable

PATIENCE_SECONDS = 60.0  # of retries for a server that has answered before; a restart takes a few seconds
CALL_SECONDS = 30.0
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)  # a gateway that stops cancels its streams
# The status of a reader that fell behind, which resumes where it was.
_TOO_SLOW = grpc.StatusCode.RESOURCE_EXHAUSTED
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),  # an item's output may be larger than gRPC's 4 MiB
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_CREDENTIALS = "--token or ARTIFICER_TOKEN, --api-key or ARTIFICER_API_KEY, or --cert"
# What gRPC reports of a failed handshake, and what it means.
_TLS_ERRORS = (
    ("CERTIFICATE_VERIFY_FAILED", "no trusted authority has signed its certificate; --ca adds one"),
    ("Hostname Verification", "its certificate is for another host"),
    ("WRONG_VERSION_NUMBER", "it does not use TLS"),
    # TLS 1.3: the server checks the client's certificate after the client's side of the handshake has succeeded, and
    # core's status does not carry the server's alert (RFC 8446 section 4.4.2.4).
    (
        "TSI_DATA_CORRUPTED",
        "it refused the TLS connection; it may require a client certificate that it trusts (--cert)",
    ),
)

R = TypeVar("R")


class Link:
    """A connection to the gateway at `address` with the credentials in `access`. Raises as `access.channel` does."""

    def __init__(self, address: str, access: Access | None = None) -> None:
        self.address = address
        self._access = access or Access()
        self._channel = channel(address, self._access, _OPTIONS)
        self.batch: rpc.BatchServiceStub = rpc.BatchServiceStub(self._channel)
        self._answered = False

    def close(self) -> None:
        """End every call."""
        self._channel.close()

    def ask(self, method: Callable[..., R], request: Any, *, timeout: float | None = CALL_SECONDS) -> R:
        """Call a unary method and return its answer. Raises Refused, Unreachable."""
        return self.patiently(lambda: method(request, timeout=timeout))

    def patiently(self, attempt: Callable[[], R]) -> R:
        """Returns the result of `attempt`, retried while a known server is unreachable. Raises Refused, Unreachable."""
        waits = _Waits()
        while True:
            try:
                answer = attempt()
            except grpc.RpcError as error:
                self._wait_or_raise(error, waits)
            else:
                self._answered = True
                return answer

    def follow(self, opened: Callable[[], Iterator[R]]) -> Iterator[R]:
        """Yields the messages of a stream. After a broken connection it calls `opened` again and continues."""
        waits, received = _Waits(), False
        while True:
            try:
                for message in opened():
                    self._answered = received = True
                    waits = _Waits()
                    yield message
            except grpc.RpcError as error:
                if _code(error) is not _TOO_SLOW or not received:
                    self._wait_or_raise(error, waits)
                received = False
            else:
                return

    def _wait_or_raise(self, error: grpc.RpcError, waits: _Waits) -> None:
        if not (self._answered and _code(error) in _LOST and waits.left):
            raise self.failure(error) from None
        waits.wait()

    def failure(self, error: grpc.RpcError) -> Failed:
        """Returns the error that a command reports for a failed call, without secrets that the server repeats."""
        code, text = _code(error), cast("Any", error).details() or ""
        for secret in self._access.secrets:
            text = text.replace(secret, "…")
        if code in _LOST:
            why = next((meaning for sign, meaning in _TLS_ERRORS if sign in text), text)
            return Unreachable(f"{self.address} cannot be reached: {why}")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable(f"{self.address} did not answer in time")
        if code is grpc.StatusCode.UNAUTHENTICATED:
            if self._access.has_credentials:
                return Refused(code, f"{self.address} rejected the credentials: {text}")
            return Refused(code, f"{self.address} requires credentials: {_CREDENTIALS}")
        if code is grpc.StatusCode.PERMISSION_DENIED:
            return Refused(code, f"{self.address} denied permission: {text}")
        return Refused(code, text)


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


def _code(error: Any) -> grpc.StatusCode:
    """Returns the code of an RpcError; one raised by a call is also a grpc.Call, though its type does not say so."""
    code: grpc.StatusCode | None = error.code()
    return code or grpc.StatusCode.UNKNOWN
