"""The connection to a gateway: calls that are asked again where that is safe, streams that are opened again.

Every call of the batch API may be asked twice, so that one rule serves all. Whoever was never reached is told at once;
a server that was there a moment ago is given time to come back.
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

PATIENCE_SECONDS = 60.0  # for a server that was met: a restart takes a few
CALL_SECONDS = 30.0
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)  # a gateway that stops cancels its streams
# A reader that fell behind is ended so, and begins again where it was.
_TOO_SLOW = grpc.StatusCode.RESOURCE_EXHAUSTED
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),  # an item's output may be larger than gRPC's 4 MiB
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_WAYS = "--token or ARTIFICER_TOKEN, --api-key or ARTIFICER_API_KEY, or --cert"
# What gRPC says of a handshake that failed, and what it means.
_OF_TLS = (
    ("CERTIFICATE_VERIFY_FAILED", "nobody who is trusted here has signed its certificate; --ca names who else is"),
    ("Hostname Verification", "its certificate is of another host"),
    ("WRONG_VERSION_NUMBER", "it speaks no TLS"),
)

R = TypeVar("R")


class Link:
    """A gateway at `address`, asked as `access` says. Raises what `access.channel` does."""

    def __init__(self, address: str, access: Access | None = None) -> None:
        self.address = address
        self._access = access or Access()
        self._channel = channel(address, self._access, _OPTIONS)
        self.batch: rpc.BatchServiceStub = rpc.BatchServiceStub(self._channel)
        self._met = False

    def close(self) -> None:
        """End every call."""
        self._channel.close()

    def ask(self, method: Callable[..., R], request: Any, *, timeout: float | None = CALL_SECONDS) -> R:
        """The answer to a call. Raises Refused, Unreachable."""
        return self.patiently(lambda: method(request, timeout=timeout))

    def patiently(self, attempt: Callable[[], R]) -> R:
        """What `attempt` gives, tried again while a server that was met is gone. Raises Refused, Unreachable."""
        waits = _Waits()
        while True:
            try:
                answer = attempt()
            except grpc.RpcError as error:
                self._wait_or_raise(error, waits)
            else:
                self._met = True
                return answer

    def follow(self, opened: Callable[[], Iterator[R]]) -> Iterator[R]:
        """The messages of a stream that is opened again, from wherever `opened` then begins, when it breaks."""
        waits, came = _Waits(), False
        while True:
            try:
                for message in opened():
                    self._met = came = True
                    waits = _Waits()
                    yield message
            except grpc.RpcError as error:
                if _code(error) is not _TOO_SLOW or not came:
                    self._wait_or_raise(error, waits)
                came = False
            else:
                return

    def _wait_or_raise(self, error: grpc.RpcError, waits: _Waits) -> None:
        if not (self._met and _code(error) in _GONE and waits.left):
            raise self.failure(error) from None
        waits.wait()

    def failure(self, error: grpc.RpcError) -> Failed:
        """A failed call as commands tell it; a server that repeats a secret is not repeated."""
        code, text = _code(error), cast("Any", error).details() or ""
        for secret in self._access.secrets:
            text = text.replace(secret, "…")
        if code in _GONE:
            why = next((told for sign, told in _OF_TLS if sign in text), text)
            return Unreachable(f"{self.address} cannot be reached: {why}")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unreachable(f"{self.address} has not answered in time")
        if code is grpc.StatusCode.UNAUTHENTICATED:
            told = f"is not content with who asks: {text}" if self._access.told else f"wants to know who asks: {_WAYS}"
            return Refused(code, f"{self.address} {told}")
        if code is grpc.StatusCode.PERMISSION_DENIED:
            return Refused(code, f"{self.address} knows who asks, and does not allow it: {text}")
        return Refused(code, text)


class _Waits:
    """Waits that grow, until patience is at its end."""

    def __init__(self) -> None:
        self._next = _FIRST_WAIT
        self._until = time.monotonic() + PATIENCE_SECONDS

    @property
    def left(self) -> bool:
        return time.monotonic() < self._until

    def wait(self) -> None:
        time.sleep(self._next * random.uniform(0.5, 1.0))  # noqa: S311 - it spreads clients, and keeps no secret
        self._next = min(self._next * 2, _LONGEST_WAIT)


def _code(error: Any) -> grpc.StatusCode:
    """Every RpcError that a call raises is a grpc.Call too, though its class does not say so."""
    code: grpc.StatusCode | None = error.code()
    return code or grpc.StatusCode.UNKNOWN
