"""The statuses of limited calls, and the header fields of draft-ietf-httpapi-ratelimit-headers.

It knows no rule, only numbers.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from ..metadata import RETRY_PUSHBACK_KEY
from ..status import Code, Status, pack

DOMAIN = "diptych"
POLICY, LIMIT, RETRY_AFTER = "ratelimit-policy", "ratelimit", "retry-after"
# With a delay of 0 a client would retry at once, and be refused again.
_SOONEST_SECONDS = 0.001


def beyond_rate(name: str, calls: int, window: int, seconds: float) -> Status:
    """Returns RESOURCE_EXHAUSTED: the rate is used up for `seconds`, which are rounded up."""
    # Rounding leaves few distinct statuses, so that the cache below serves nearly every call of a flood.
    steps = 1 if seconds > 1 else 100
    return _beyond_rate(name, calls, window, math.ceil(seconds * steps) / steps)


@lru_cache(maxsize=1024)
def _beyond_rate(name: str, calls: int, window: int, seconds: float) -> Status:
    return _refused(
        Code.RESOURCE_EXHAUSTED,
        f"the limit {name} is used up: {calls} calls in {window} seconds",
        seconds,
        error_details_pb2.ErrorInfo(reason="RATE_LIMIT_EXCEEDED", domain=DOMAIN, metadata={"limit": name}),
    )


@lru_cache(maxsize=1024)
def beyond_slots(name: str, calls: int, seconds: float) -> Status:
    """Returns RESOURCE_EXHAUSTED: the concurrency limit is reached."""
    return _refused(
        Code.RESOURCE_EXHAUSTED,
        f"the limit {name} is reached: {calls} calls at once",
        seconds,
        error_details_pb2.ErrorInfo(reason="CONCURRENCY_LIMIT_EXCEEDED", domain=DOMAIN, metadata={"limit": name}),
    )


def busy(why: str, seconds: float) -> Status:
    """Returns UNAVAILABLE, for overload that is not the caller's fault."""
    return _refused(
        Code.UNAVAILABLE, why, seconds, error_details_pb2.ErrorInfo(reason="SERVER_OVERLOADED", domain=DOMAIN)
    )


def _refused(code: Code, why: str, seconds: float, info: error_details_pb2.ErrorInfo) -> Status:
    millis = max(1, math.ceil(max(seconds, _SOONEST_SECONDS) * 1000))
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(millis)
    retry = error_details_pb2.RetryInfo(retry_delay=delay)
    # gRPC's own retries read this key ("Pushback" in gRFC A6); RetryInfo is for application code.
    headers = ((RETRY_PUSHBACK_KEY, str(millis)),)
    return Status(code=code, message=why, details=(pack(info), pack(retry)), headers=headers)


def retry_after(status: Status) -> str:
    """Returns the value of `retry-after`, in whole seconds (RFC 9110 section 10.2.3)."""
    return str(math.ceil(int(status.headers[0][1]) / 1000))


def for_http(status: Status) -> Status:
    """Returns the status with `retry-after` as its only header, for raising while a body is read over HTTP."""
    return replace(status, headers=((RETRY_AFTER, retry_after(status)),))


def policy(name: str, calls: int, window: int) -> str:
    """Returns one item of `ratelimit-policy`."""
    return f'"{name}";q={calls};w={window}'


def limit(name: str, left: int, seconds: float) -> str:
    """Returns one item of `ratelimit`."""
    return f'"{name}";r={left};t={math.ceil(seconds)}'
