"""The public keys of a token's issuer: fetched or read, cached and refreshed (RFC 7517).

It knows no token. Fetches run in a thread, with a time-out.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import logging
import ssl
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import orjson
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from ..status import Code, StatusError, error

logger = logging.getLogger("diptych.auth")

MOST_BYTES = 1 << 20
_PIECE = 1 << 16

# The public members of a key by its type (RFC 7518 section 6, RFC 8037 section 2), and its algorithms. Shared secrets
# ("oct") are not accepted from a key set: a published one is no secret.
_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


class KeySetError(Exception):
    """Keys that cannot be fetched or parsed; says why."""


class KeySet:
    """The usable keys of one JWKS document. Raises `KeySetError` if it has none."""

    def __init__(self, data: bytes, allowed: Collection[str]) -> None:
        try:
            listed = orjson.loads(data)["keys"]
            usable = [one for item in listed if isinstance(item, dict) for one in _keys(item, allowed)]
        except (ValueError, TypeError, KeyError):
            raise KeySetError("the document is not a JSON Web Key Set") from None
        if not usable:
            raise KeySetError("the key set has no usable key")
        self._keys: list[tuple[str | None, jwt.PyJWK]] = usable

    def find(self, algorithm: str, key_id: str | None) -> list[jwt.PyJWK]:
        """Returns the keys that a token may be signed with: those of its `kid`, or all of its algorithm without one."""
        return [
            key
            for known, key in self._keys
            if key.algorithm_name == algorithm and (key_id is None or known is None or known == key_id)
        ]


def _keys(item: dict[str, Any], allowed: Collection[str]) -> Iterable[tuple[str | None, jwt.PyJWK]]:
    kind, usages = item.get("kty"), item.get("key_ops")
    if kind not in _PUBLIC or item.get("use", "sig") != "sig" or (usages is not None and "verify" not in usages):
        return
    fitting = _RSA if kind == "RSA" else (_CURVES.get(item.get("crv", ""), ""),)
    named = item.get("alg")
    public = {"kty": kind, **{name: item[name] for name in _PUBLIC[kind] if name in item}}
    for algorithm in fitting:
        if algorithm in allowed and named in (None, algorithm):
            try:
                yield item.get("kid"), jwt.PyJWK(public, algorithm)
            except jwt.PyJWTError:
                return


class Keys:
    """The current keys. `load` blocks and runs in a thread; all times are in seconds.

    `refresh` is the age at which the keys are reloaded in the background, `retry` the minimum time between two loads,
    and `stale` how long the last keys stay in use while loading fails.
    """

    def __init__(
        self, load: Callable[[], bytes], allowed: Collection[str], *, refresh: float, retry: float, stale: float
    ) -> None:
        self._load, self._allowed = load, allowed
        self._refresh, self._retry, self._stale = refresh, retry, stale
        self._set: KeySet | None = None
        self._digest = b""
        self._loaded = self._tried = float("-inf")
        self._loading: asyncio.Task[None] | None = None
        self._failures, self._told = 0, ""
        self.generation = 0
        """Increases whenever the keys change."""

    async def find(self, algorithm: str, key_id: str | None) -> list[jwt.PyJWK]:
        """Returns the keys that a token may be signed with. Raises UNAVAILABLE if no keys could be loaded."""
        age = time.monotonic() - self._loaded
        if self._set is None or age > self._stale:
            await self._newer()
            if self._set is None or time.monotonic() - self._loaded > self._stale:
                raise self._unavailable()
        elif age > self._refresh:
            self._begin()
        found = self._set.find(algorithm, key_id)
        if not found:
            await self._newer()
            found = self._set.find(algorithm, key_id)
        return found

    async def close(self) -> None:
        """Cancels a running load."""
        loading, self._loading = self._loading, None
        if loading is not None and not loading.done():
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)

    async def _newer(self) -> None:
        """Waits for a reload, unless the last one began less than `retry` seconds ago."""
        loading = self._begin()
        if loading is not None:
            await asyncio.shield(loading)  # other callers wait for the same load when this one is cancelled

    def _begin(self) -> asyncio.Task[None] | None:
        running = self._loading
        if running is not None and not running.done() and running.get_loop() is asyncio.get_running_loop():
            return running
        if time.monotonic() - self._tried < self._retry:
            return None
        self._tried = time.monotonic()
        self._loading = asyncio.get_running_loop().create_task(self._renew())
        return self._loading

    async def _renew(self) -> None:
        try:
            data = await asyncio.to_thread(self._load)
            digest = hashlib.sha256(data).digest()
            if digest != self._digest:
                self._set = KeySet(data, self._allowed)
                self._digest = digest
                self.generation += 1
        except (KeySetError, OSError, http.client.HTTPException) as wrong:
            kept = "the last ones stay in use" if self._set is not None else "tokens are refused until they can"
            self._failures += 1
            if str(wrong) != self._told:  # each cause once, since it is tried again every few seconds
                self._told = str(wrong)
                logger.warning("cannot load the keys that verify tokens: %s; %s", wrong, kept)
        else:
            if self._failures:
                logger.info("the keys that verify tokens are loaded again after %d failures", self._failures)
            self._failures, self._told = 0, ""
            self._loaded = time.monotonic()

    def _unavailable(self) -> StatusError:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(self._retry * 1000))
        retry = error_details_pb2.RetryInfo(retry_delay=delay)
        return error(
            Code.UNAVAILABLE,
            "the keys that verify tokens cannot be loaded at the moment; try again later",
            details=[retry],
        )


def from_file(path: Path) -> Callable[[], bytes]:
    """Returns a function that reads the keys from a file."""
    return path.read_bytes


def from_url(url: str, seconds: float, authorities: Path | None = None) -> Callable[[], bytes]:
    """Returns a function that fetches the keys by one GET within `seconds`, without redirects or proxies."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    trust = ssl.create_default_context(cafile=authorities) if parts.scheme == "https" else None

    def load() -> bytes:
        until = time.monotonic() + seconds
        connection = (
            http.client.HTTPConnection(host, parts.port, timeout=seconds)
            if trust is None
            else http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=trust)
        )
        try:
            connection.request("GET", target, headers={"accept": "application/jwk-set+json, application/json"})
            response = connection.getresponse()
            if response.status != 200:
                raise KeySetError(f"{host} answered {response.status}")
            return _body(response, until)
        finally:
            connection.close()

    return load


def _body(response: http.client.HTTPResponse, until: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise KeySetError(f"the answer is larger than {MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise KeySetError("the answer did not arrive in time")
    return b"".join(pieces)
