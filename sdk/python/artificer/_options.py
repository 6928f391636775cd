"""What a client and a call may be told. Reads the environment only in `ClientOptions.resolved`."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict
from urllib.parse import urlsplit

from ._attempt import Headers

TransportName = Literal["rest", "grpc"]
DEFAULT_BASE_URL, DEFAULT_TARGET = "http://127.0.0.1:8080", "127.0.0.1:50051"
DEFAULT_TIMEOUT = 60.0  # seconds of a call that is no stream
_LONGEST_SECONDS = 1e9  # above, some 30 years, clocks and gRPC overflow


class CallOptions(TypedDict, total=False):
    """Options that every method takes besides its own parameters."""

    timeout: float | None
    """Seconds until the call fails with DeadlineExceededError; the server learns of them. None means no limit."""
    headers: Headers
    """Further request headers (gRPC: metadata); a list for several values, bytes under names that end in `-bin`."""
    idempotency_key: str
    """The key that tells a repeated request from a new one; a random UUID by default. An empty one is not sent, and
    the call is then repeated only if it never reached the server. A method that changes something and has no such key
    raises InvalidRequestError."""
    max_retries: int
    """Further attempts after the first."""
    progress: Callable[[int, int | None], None]
    """Called while a file is sent in pieces or downloaded, with the bytes so far and their total, None if it is not
    known. Methods that send a file in one message do not call it."""


@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """The options of a client; its constructor documents them."""

    transport: TransportName = "rest"
    base_url: str = ""  # REST
    target: str = ""  # gRPC
    api_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    timeout: float | None = DEFAULT_TIMEOUT
    max_retries: int = 2
    headers: Headers = field(default_factory=dict, repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    proxy: str | None = None
    allow_insecure: bool = False
    max_connections: int = 100  # REST
    on_call: Callable[[CallRecord], None] | None = None

    def resolved(self) -> ClientOptions:
        """Returns the options with the environment's where none are given. Raises TypeError and ValueError."""
        self._check()
        read = os.environ.get
        key, token = self.api_key, self.token
        if not (key or token):
            key, token = read("ARTIFICER_API_KEY", ""), read("ARTIFICER_TOKEN", "")
        if key and token:
            raise ValueError("an API key and a token exclude each other: set only one of them")
        return replace(
            self,
            base_url=_address(self.base_url or read("ARTIFICER_BASE_URL") or DEFAULT_BASE_URL),
            target=self.target or read("ARTIFICER_TARGET") or DEFAULT_TARGET,
            api_key=key,
            token=token,
        )

    def _check(self) -> None:
        for name in ("base_url", "target", "api_key", "token"):
            given = getattr(self, name)
            if given and not isinstance(given, str):
                raise TypeError(f"{name} is text, not {type(given).__name__}")
        self._check_addresses()
        seconds(self.timeout)
        _whole_number("max_retries", self.max_retries, 0)
        _whole_number("max_connections", self.max_connections, 1)
        if self.key and not self.cert:
            raise ValueError("`key` requires `cert`, its certificate")
        if self.on_call is not None and not callable(self.on_call):
            raise TypeError(f"on_call is a function, not {type(self.on_call).__name__}")
        if self.proxy is not None:
            _check_proxy(self.proxy, ("http",) if self.transport == "grpc" else ("http", "https"))

    def _check_addresses(self) -> None:
        # The call would go to another address. A program that chooses the transport may give both.
        if self.transport == "grpc" and self.base_url and not self.target:
            raise ValueError('base_url is for REST: with transport="grpc", give the gateway\'s gRPC address as target')
        if self.transport == "rest" and self.target and not self.base_url:
            raise ValueError('target is for gRPC: give base_url, or set transport="grpc"')


def check_call(options: CallOptions) -> None:
    """Raises TypeError and ValueError for options that no call has, and for values that they cannot have."""
    unknown = options.keys() - CallOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"unexpected arguments: {', '.join(sorted(unknown))}")
    if "max_retries" in options:
        _whole_number("max_retries", options["max_retries"], 0)


def seconds(timeout: float | None) -> float | None:
    """Returns a time-out, None for no limit. Raises TypeError and ValueError for what is no number of seconds."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout is a number of seconds, or None, not {type(timeout).__name__}")
    if isinstance(timeout, float) and math.isnan(timeout):
        raise ValueError("timeout is a number of seconds, or None, not NaN")
    return None if timeout > _LONGEST_SECONDS else timeout


def time_left(options: CallOptions) -> Callable[[], CallOptions]:
    """Returns a function for the option `timeout` of calls that together have the time-out of these options."""
    given = seconds(options["timeout"]) if "timeout" in options else None
    if given is None:
        return lambda: {}
    end = time.monotonic() + given
    return lambda: {"timeout": max(0.0, end - time.monotonic())}


def _whole_number(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is a whole number, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")


def _address(base_url: str) -> str:
    scheme, separator, rest = base_url.partition("://")
    return f"{scheme.lower()}{separator}{rest}".rstrip("/")


def _check_proxy(proxy: object, schemes: tuple[str, ...]) -> None:
    if not isinstance(proxy, str):
        raise TypeError(f"proxy is a URL as text, not {type(proxy).__name__}")
    try:
        place = urlsplit(proxy)
        is_usable = place.scheme in schemes and bool(place.hostname) and place.port != 0
    except ValueError:  # of the brackets, or of the port
        is_usable = False
    if not is_usable:  # the message is without the URL, which may have a password
        raise ValueError(f"proxy must be a URL such as {schemes[0]}://host:port")


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord:
    """What `on_call` is told of each attempt of a call, after it has ended or its stream has begun."""

    method: str
    attempt: int
    seconds: float
    code: str  # "OK", or the name of a gRPC code
    request_id: str
