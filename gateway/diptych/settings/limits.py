"""How often and how much at once may be called, as settings: rules by caller, address and method, and caps for all.

It checks forms only; which methods there are is known where the gateway is built.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from .auth import PATTERN, Patterns
from .table import SettingsTable

By = Literal["principal", "address", "method"]

_RATE = re.compile(r"(\d{1,9})\s*(?:/|per)\s*(\d{1,6})?\s*(second|minute|hour|day)s?")
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
# A name is a quoted string in a header (RFC 9651 section 3.3.3), and part of a key in a shared storage.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_SCHEMES = ("redis://", "rediss://", "redis+unix://", "valkey://", "valkeys://", "valkey+unix://")


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class Rate(NamedTuple):
    """So many calls in so many seconds."""

    calls: int
    seconds: int


def _parsed(text: str | None) -> Rate | None:
    found = None if text is None else _RATE.fullmatch(text.strip())
    return None if found is None else Rate(int(found[1]), int(found[2] or 1) * _UNITS[found[3]])


def _check(text: str | None, name: str) -> None:
    found = _parsed(text)
    if text is not None and (found is None or 0 in found):
        raise ValueError(f"{name} is no such thing as 100/minute or 5 per 10 seconds")


class LimitRule(SettingsTable):
    """A rule for some methods: `rate`, `concurrent` or both. All rules that name a method count for it."""

    name: str | None = None
    """What clients are told of it; None is made of `by`."""
    methods: Patterns = ("/*",)
    """`/package.Service/Method`, or a beginning of it followed by `*`; health is named by its own service only."""
    by: Annotated[tuple[By, ...], BeforeValidator(_listed)] = ("principal",)
    """Who shares a count: each caller (or its address, where nobody knows it), address or method; several are each
    combination, and none at all (`[]`) is everybody together."""
    rate: str | None = None
    """Such as `100/minute` or `5 per 10 seconds`."""
    concurrent: int | None = Field(default=None, gt=0)
    """Most calls at once, streams among them, in each process."""

    @property
    def parsed(self) -> Rate | None:
        """The rate, where there is one."""
        return _parsed(self.rate)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.rate is None and self.concurrent is None:
            raise ValueError("one of rate and concurrent is needed")
        _check(self.rate, "rate")
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise ValueError("name is letters, digits, '_', '.' and '-', at most 63")
        if not self.methods or not all(PATTERN.fullmatch(pattern) for pattern in self.methods):
            raise ValueError("methods is neither /package.Service/Method nor a beginning of it and a *")
        if len(set(self.by)) != len(self.by):
            raise ValueError("by names one thing twice")
        return self


class LimitsSettings(SettingsTable):
    """Limits of calls on every face. Without rules and caps nothing is limited, and nothing is counted."""

    rules: tuple[LimitRule, ...] = ()
    """Rates and concurrency, by caller, address and method."""
    wrong_credentials: str | None = None
    """How often one address may show wrong credentials to each process, such as `20/minute`; beyond it none of its
    own are looked at, and its calls with any are refused. None sets no limit."""
    strategy: Literal["sliding", "moving"] = "sliding"
    """How rates are counted: by two weighted counters a caller, or exactly, by the time of every call in the window."""
    storage_url: SecretStr | None = None
    """Where rates are counted for several processes, `redis://` or `valkey://`; None is in each one's own memory."""
    storage_timeout_seconds: float = Field(default=0.25, gt=0)
    """How long a call waits for that storage."""
    storage_fail: Literal["open", "closed"] = "open"
    """While it is away: each process counts by itself (open), or limited calls are refused as UNAVAILABLE (closed)."""
    storage_retry_seconds: float = Field(default=5.0, gt=0)
    """How long nobody asks a storage that was away."""
    headers: bool = True
    """Tells clients of their limits in `ratelimit` and `ratelimit-policy`, on successes too."""
    ipv6_prefix: int = Field(default=64, ge=1, le=128)
    """How many bits of an IPv6 address are one address: what one customer is mostly given."""
    max_keys: int = Field(default=100_000, ge=1)
    """How many callers a rule remembers in memory at least; with more, those longest unseen may be forgotten early."""
    max_in_flight: int | None = Field(default=None, gt=0)
    """Most calls at once in this process, of all callers; more are told UNAVAILABLE. Health is never refused."""
    max_bytes_in_flight: int | None = Field(default=None, gt=0)
    """Most bytes of unary calls' requests held at once in this process; calls beyond it get UNAVAILABLE. None: a
    quarter of the memory (the control group's limit, or the machine's) divided by `workers`, and at least one largest
    body; on a port that grpcio or native serves, None counts nothing."""
    retry_seconds: float = Field(default=1.0, gt=0)
    """When clients shall come again who met `concurrent` or a cap, or a storage that is away."""

    @property
    def wrong(self) -> Rate | None:
        """`wrong_credentials`, read."""
        return _parsed(self.wrong_credentials)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check(self.wrong_credentials, "wrong_credentials")
        url = self.storage_url
        if url is not None and not url.get_secret_value().startswith(_SCHEMES):
            raise ValueError(f"storage_url begins with one of {', '.join(_SCHEMES)}")
        return self
