"""Settings of limits: rules by caller, address and method, and caps for the whole process.

It checks syntax only; whether a pattern names a method is checked when the gateway is built.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from .auth import PATTERN, Patterns
from .table import Need, SettingsTable

By = Literal["principal", "address", "method"]

_RATE = re.compile(r"(\d{1,9})\s*(?:/|per)\s*(\d{1,6})?\s*(second|minute|hour|day)s?")
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
# A name is a quoted string in a header (RFC 9651 section 3.3.3), and part of a key in a shared storage.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_SCHEMES = ("redis://", "rediss://", "redis+unix://", "valkey://", "valkeys://", "valkey+unix://")


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class Rate(NamedTuple):
    """A number of calls in a number of seconds."""

    calls: int
    seconds: int


def _parsed(text: str | None) -> Rate | None:
    found = None if text is None else _RATE.fullmatch(text.strip())
    return None if found is None else Rate(int(found[1]), int(found[2] or 1) * _UNITS[found[3]])


def _check(text: str | None, name: str) -> None:
    found = _parsed(text)
    if text is not None and (found is None or 0 in found):
        raise ValueError(f"invalid {name}; expected a rate such as 100/minute or 5 per 10 seconds")


class LimitRule(SettingsTable):
    """A rule for some methods: `rate`, `concurrent` or both. All rules that match a method apply to it."""

    name: str | None = None
    """The rule's name in error messages and headers. None: derived from `by`."""
    methods: Patterns = ("/*",)
    """`/package.Service/Method`, or a prefix followed by `*`. Only patterns that begin with `/grpc.health.v1.` match
    health checks."""
    by: Annotated[tuple[By, ...], BeforeValidator(_listed)] = ("principal",)
    """What calls are counted by: caller (the address, for unauthenticated ones), address or method. With several,
    each combination is counted; with none (`[]`), all calls together."""
    rate: str | None = None
    """Maximum rate, such as `100/minute` or `5 per 10 seconds`."""
    concurrent: int | None = Field(default=None, gt=0)
    """Maximum concurrent calls, streams included, in each process."""

    @property
    def parsed(self) -> Rate | None:
        """The parsed `rate`."""
        return _parsed(self.rate)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.rate is None and self.concurrent is None:
            raise ValueError("a rule needs rate, concurrent or both")
        _check(self.rate, "rate")
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise ValueError("invalid name; expected at most 63 letters, digits, '_', '.' and '-'")
        if not self.methods or not all(PATTERN.fullmatch(pattern) for pattern in self.methods):
            raise ValueError("invalid pattern in methods; expected /package.Service/Method or a prefix and '*'")
        if len(set(self.by)) != len(self.by):
            raise ValueError("by names the same key twice")
        return self


class LimitsSettings(SettingsTable):
    """Limits of calls over every protocol. Without rules and caps, nothing is limited or counted."""

    NEEDS: ClassVar[tuple[Need, ...]] = (
        Need("storage_url", "has_rates", "a rule with a rate in limits.rules"),
        Need("strategy", "has_rates", "a rule with a rate in limits.rules"),
        Need("storage_fail", "storage_url", "limits.storage_url"),
    )

    rules: tuple[LimitRule, ...] = ()
    """Rate and concurrency limits, by caller, address and method."""
    wrong_credentials: str | None = None
    """How often one address may send wrong credentials to each process, such as `20/minute`. Beyond that, its calls
    with credentials are refused without checking them. None sets no limit."""
    strategy: Literal["sliding", "moving"] = "sliding"
    """How rates are counted: `sliding` weights the counters of two windows; `moving` is exact, and stores the time of
    every call in the window."""
    storage_url: SecretStr | None = None
    """A server that counts rates for several processes, `redis://` or `valkey://`. None: each process counts in its
    own memory."""
    storage_timeout_seconds: float = Field(default=0.25, gt=0)
    """How long a call waits for that server."""
    storage_fail: Literal["open", "closed"] = "open"
    """What happens while that server is unreachable: each process counts on its own (`open`), or limited calls are
    refused with UNAVAILABLE (`closed`)."""
    storage_retry_seconds: float = Field(default=5.0, gt=0)
    """How long an unreachable server is left alone before the next attempt."""
    headers: bool = True
    """Sends the limits to clients in `ratelimit` and `ratelimit-policy`, on successful calls too."""
    ipv6_prefix: int = Field(default=64, ge=1, le=128)
    """Number of leading bits of an IPv6 address that count as one address; providers usually assign a /64 per site."""
    max_keys: int = Field(default=100_000, ge=1)
    """How many callers a rule remembers in memory at least; beyond that, those idle longest may be forgotten early."""
    max_in_flight: int | None = Field(default=None, gt=0)
    """Maximum concurrent calls in this process; further calls get UNAVAILABLE. Health checks are never refused."""
    max_bytes_in_flight: int | None = Field(default=None, gt=0)
    """Maximum bytes of unary requests held at once in this process; further calls get UNAVAILABLE. None: a quarter of
    the memory (of the control group, or of the machine) divided by `workers`, and at least one largest body; on a port
    served by grpcio or native, None counts nothing."""
    retry_seconds: float = Field(default=1.0, gt=0)
    """The delay that clients are told to wait after hitting `concurrent`, a cap, or an unreachable storage."""

    @property
    def has_rates(self) -> bool:
        """Whether a rule limits a rate."""
        return any(rule.rate for rule in self.rules)

    @property
    def wrong(self) -> Rate | None:
        """The parsed `wrong_credentials`."""
        return _parsed(self.wrong_credentials)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check(self.wrong_credentials, "wrong_credentials")
        url = self.storage_url
        if url is not None and not url.get_secret_value().startswith(_SCHEMES):
            raise ValueError(f"invalid storage_url; expected one that begins with {' or '.join(_SCHEMES)}")
        return self
