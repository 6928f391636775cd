"""The HTTP client's settings: address, credentials, TLS, proxy, connections and time-outs."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import httpx2

from .._attempt import pairs
from .._target import check_secret, is_place, parse_target
from .._tls import check_files
from ..errors import APIConnectionError, DeadlineExceededError

if TYPE_CHECKING:
    from .._attempt import Attempt
    from .._options import ClientOptions

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 75.0
"""A stream of messages without a byte for so long is broken: the gateway sends a line break every 30 seconds."""
# Idle connections are closed before the gateway does so, after 75 seconds: a request that meets a closed one fails.
_KEPT_SECONDS = 60.0
_POOL_SECONDS = 60.0  # for a stream, which has no deadline
_POOL_SHARE = 0.95  # of a call's time: its end comes before the deadline, so that the exception names the connection
_LONGEST_SECONDS = 1_000_000.0  # sockets take 2**31 milliseconds at most


def headers(options: ClientOptions) -> list[tuple[str, str]]:
    """Returns the headers of every request. Raises ValueError for secrets that cannot be sent, or not in clear text."""
    found = [("user-agent", user_agent()), *encoded(pairs(options.headers))]
    place = _checked(options.base_url)
    if not (options.api_key or options.token):
        return found
    if place.scheme == "http" and not is_local(options) and not options.allow_insecure:
        raise ValueError(
            f"the key or token would be sent to {place.netloc} in plain text; use https://, or set allow_insecure=True"
        )
    check_secret("api_key", options.api_key)
    check_secret("token", options.token)
    if options.token:
        return [*found, ("authorization", f"Bearer {options.token}")]
    return [*found, ("x-api-key", options.api_key)]


def _checked(base_url: str) -> SplitResult:
    wrong = f"base_url must be http://host:port or https://host:port, not {base_url!r}"
    try:
        place = urlsplit(base_url)
    except ValueError:
        raise ValueError(wrong) from None
    if "@" in place.netloc:
        raise ValueError("base_url must not contain credentials: set `api_key` or `token`")
    is_plain = base_url.isprintable() and not any(one.isspace() or one in "?#" for one in base_url)
    if place.scheme not in {"http", "https"} or not is_place(place.netloc) or not is_plain:
        raise ValueError(wrong)
    try:
        httpx2.URL(base_url).host.encode("idna")  # as the look-up of its address does
    except (httpx2.InvalidURL, UnicodeError):
        raise ValueError(f"{place.hostname!r} is no name of a host: {wrong}") from None
    return place


def encoded(headers: tuple[tuple[str, str | bytes], ...]) -> list[tuple[str, str]]:
    """Returns metadata as headers: in base64 for names that end in -bin."""
    return [
        (name, value if isinstance(value, str) else base64.b64encode(value).decode().rstrip("="))
        for name, value in headers
    ]


def user_agent() -> str:
    """Returns the name and version of this client."""
    from importlib.metadata import version

    return f"artificer-python/{version('artificer')}"


def is_local(options: ClientOptions) -> bool:
    """Whether the gateway is on this machine."""
    return parse_target(urlsplit(options.base_url).netloc).is_local


def tls(options: ClientOptions) -> ssl.SSLContext | None:
    """Returns the TLS settings, None for those of the system. Raises OSError and ValueError for unusable files."""
    if not (options.ca or options.cert):
        return None
    if options.base_url.startswith("http:"):
        raise ValueError(f"{options.base_url} excludes TLS, which `ca` and `cert` require; use https://")
    check_files(options.ca, options.cert, options.key)
    context = ssl.create_default_context(cafile=options.ca)
    if options.cert:
        context.load_cert_chain(options.cert, options.key)
    return context


def client_arguments(options: ClientOptions) -> dict[str, Any]:
    """Returns the arguments of the HTTP client. Raises ValueError and OSError for unusable options."""
    context = tls(options)
    return {
        "base_url": options.base_url,
        "headers": headers(options),
        "verify": True if context is None else context,
        "proxy": options.proxy,
        # A variable such as HTTP_PROXY would otherwise send calls to this machine through a proxy.
        "trust_env": not is_local(options),
        "limits": httpx2.Limits(
            max_connections=options.max_connections,
            max_keepalive_connections=options.max_connections,
            keepalive_expiry=_KEPT_SECONDS,
        ),
    }


@contextmanager
def environment() -> Iterator[None]:
    """Turns what httpx2 raises for variables of the environment into ValueErrors that name them."""
    try:
        yield
    except ImportError as error:
        text = "the environment's proxy is a SOCKS proxy, which needs the package `socksio`; set `proxy`, or NO_PROXY"
        raise ValueError(text) from error
    except OSError as error:  # ssl.SSLError too; neither names the file
        file = os.environ.get("SSL_CERT_FILE")
        if file is None:
            raise
        raise ValueError(f"SSL_CERT_FILE: {file!r} is no file of certificates: {error}") from error


def request(address: str, defaults: list[tuple[str, str]], sent: dict[str, Any]) -> httpx2.Request:
    """Returns a request whose headers win over the defaults.

    `Client.build_request` does the same, but parses the address twice and copies all headers, for a tenth of a call.
    """
    own = sent["headers"]
    names = {name for name, _ in own}
    return httpx2.Request(
        sent["method"],
        address + sent["url"],
        headers=[*(pair for pair in defaults if pair[0] not in names), *own],
        content=sent.get("content"),
        extensions={"timeout": sent["timeout"]},
    )


def timeouts(attempt: Attempt, *, idle: float | None = None) -> dict[str, float | None]:
    """Returns the time-outs of the parts of a request; `idle` limits the silence between two reads further."""
    whole = None if attempt.timeout is None else min(attempt.timeout, _LONGEST_SECONDS)
    connect = CONNECT_SECONDS if whole is None else min(whole, CONNECT_SECONDS)
    read = idle if whole is None else min(whole, idle or whole)
    pool = _POOL_SECONDS if whole is None else _POOL_SHARE * whole
    return {"connect": connect, "read": read, "write": whole, "pool": pool}


def grpc_timeout(seconds: float) -> str:
    """Returns the header grpc-timeout: at most eight digits and a unit."""
    for unit, each in (("m", 1000), ("S", 1), ("M", 1 / 60)):
        if seconds * each < 99_999_999:
            return f"{max(1, int(seconds * each))}{unit}"
    return f"{min(int(seconds / 3600), 99_999_999)}H"


def trace_context() -> tuple[tuple[str, str], ...]:
    """Returns the headers of OpenTelemetry's current span, if the application uses OpenTelemetry."""
    # Applications that trace have imported this; the others must not pay for it.
    if "opentelemetry.trace" not in sys.modules:
        return ()
    from opentelemetry import propagate

    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return tuple(carrier.items())


def shut_down(answer: httpx2.Response) -> None:
    """Ends the connection of an answer. Closing it would not wake a thread that waits for its next bytes."""
    stream = answer.extensions.get("network_stream")
    connection = None if stream is None else stream.get_extra_info("socket")
    with suppress(OSError):  # it may be closed already
        if isinstance(connection, socket.socket):
            # That of an SSLSocket would also forget its TLS, which the other thread is using.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        elif connection is not None:
            connection.shutdown(socket.SHUT_RDWR)


def deadline_exceeded(attempt: Attempt) -> DeadlineExceededError:
    """Returns the exception of a call that ran out of time here."""
    return DeadlineExceededError(f"the call did not end within its {attempt.timeout:.3g} seconds")


@contextmanager
def failures(attempt: Attempt, *, idle: bool = False) -> Iterator[None]:
    """Turns the HTTP client's exceptions into the SDK's; with `idle` a read that takes too long is a broken stream."""
    try:
        yield
    except httpx2.ConnectTimeout as error:
        if attempt.timeout is not None and attempt.timeout <= CONNECT_SECONDS:
            raise deadline_exceeded(attempt) from error
        message = f"the server cannot be reached: no connection within {CONNECT_SECONDS:.0f} seconds"
        raise APIConnectionError(message, sent=False) from error
    except httpx2.PoolTimeout as error:
        raise DeadlineExceededError(
            "no connection became free in time; close streams, or raise max_connections"
        ) from error
    except httpx2.ReadTimeout as error:
        if idle and (attempt.timeout is None or attempt.timeout > IDLE_SECONDS):
            message = f"the connection broke: the stream was silent for {IDLE_SECONDS:.0f} seconds"
            raise APIConnectionError(message, sent=True) from error
        raise deadline_exceeded(attempt) from error
    except (httpx2.TimeoutException, TimeoutError) as error:
        raise deadline_exceeded(attempt) from error
    except (httpx2.ConnectError, httpx2.ProxyError) as error:
        hint = "; `ca` names the authority to trust" if "CERTIFICATE_VERIFY_FAILED" in str(error) else ""
        raise APIConnectionError(f"the server cannot be reached: {error}{hint}", sent=False) from error
    except (httpx2.LocalProtocolError, httpx2.InvalidURL) as error:
        raise ValueError(f"the request cannot be sent: {error}") from error
    # httpx2 passes on the errors of TLS that asyncio meets while it reads, such as a refused client certificate.
    except (httpx2.HTTPError, httpx2.StreamError, ssl.SSLError) as error:
        hint = "; it may require a client certificate, `cert`" if "CERTIFICATE_REQUIRED" in str(error) else ""
        raise APIConnectionError(f"the connection broke: {error}{hint}", sent=True) from error
