"""Static API keys: creation, hashing and look-up.

A key is stored as SHA-256 of a salt and the key. A fast hash is enough because keys hold 256 random bits, which cannot
be guessed at any speed; scrypt would only slow down every call. Short keys, which can be guessed, are refused. It knows
no header.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ..call import UNDECIDED, Undecided
from ..metadata import Metadata
from ..origin import Origin
from ..settings.auth import KEY_HASH, KEY_ID, ApiKey
from .caller import Credentials, Principal, Refused

logger = logging.getLogger("diptych.auth")

PREFIX = "dk"
LEAST_CHARACTERS = 32
"""Shorter keys are refused: a person chose them, not a generator."""
CHECK_SECONDS = 1.0
"""Minimum time between two checks of the file for changes."""

_UNKNOWN = "unknown API key"
_TABLES = TypeAdapter(dict[str, ApiKey], config=ConfigDict(defer_build=True))


class KeyFileError(ValueError):
    """A file of API keys that cannot be read; says why, without quoting the file."""


def new_key(name: str) -> str:
    """Returns a new key for the id `name`: `dk_{id}_{43 random characters}`. Raises ValueError for an invalid id."""
    if not KEY_ID.fullmatch(name):
        raise ValueError("invalid API key id; expected at most 63 lower-case letters, digits and '-'")
    return f"{PREFIX}_{name}_{secrets.token_urlsafe(32)}"


def hash_key(key: str) -> str:
    """Returns the stored form of a key. Raises ValueError for a short one."""
    if len(key) < LEAST_CHARACTERS:
        raise ValueError(
            f"the key has fewer than {LEAST_CHARACTERS} characters; `diptych auth new-key` makes a long one"
        )
    salt = secrets.token_bytes(16)
    return f"sha256:{salt.hex()}:{_digest(salt, key).hex()}"


def _digest(salt: bytes, key: str) -> bytes:
    return hashlib.sha256(salt + key.encode()).digest()


class _Kept(NamedTuple):
    salt: bytes
    digest: bytes
    principal: Principal

    def is_of(self, key: str) -> bool:
        return hmac.compare_digest(_digest(self.salt, key), self.digest)


# Compared against if no key has the id, so that response times do not reveal which ids exist.
_NOBODY = _Kept(b"\0" * 16, b"\0" * 32, Principal(id="", kind="api-key"))


def _kept(name: str, key: ApiKey) -> _Kept:
    found = KEY_HASH.fullmatch(key.hash.get_secret_value())
    if found is None:
        raise ValueError("hash")  # the settings have checked it
    caller = Principal(
        id=name,
        kind="api-key",
        scopes=frozenset(key.scopes),
        roles=frozenset(key.roles),
        expires=None if key.expires is None else key.expires.timestamp(),
    )
    return _Kept(bytes.fromhex(found[1]), bytes.fromhex(found[2]), caller)


class ApiKeys:
    """Authenticates by `x-api-key`, or by a bearer token.

    `keys` are by id; `file` holds more, and takes precedence. Raises `KeyFileError` if the file cannot be read.
    """

    def __init__(self, keys: Mapping[str, ApiKey], file: Path | None = None) -> None:
        self._own, self._file = {name: _kept(name, key) for name, key in keys.items()}, file
        self._kept = dict(self._own)
        self._verified: dict[bytes, _Kept] = {}
        """The keys that were found, by their digest: at most as many as there are keys."""
        self._seen: object = None
        self._look_at = 0.0
        self._reading: asyncio.Future[None] | None = None
        if file is not None:
            self._seen = _state(file)
            self._kept |= _read(file)
        self.security_schemes = {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}}

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Returns the key's holder. Raises `Refused` for an unknown or expired key."""
        key = credentials.bearer if credentials.api_key is None else credentials.api_key
        if key is None:
            return None
        if self._file is not None and time.monotonic() >= self._look_at:
            await self._look(self._file)
        return self._holder(key)

    def _recognize_now(
        self, bearer: str | None, api_key: str | None, metadata: Metadata, known: Origin
    ) -> Principal | Undecided | None:
        """Does the same as `authenticate`, unless the file has to be looked at."""
        key = bearer if api_key is None else api_key
        if key is None:
            return None
        if self._file is not None and time.monotonic() >= self._look_at:
            return UNDECIDED
        return self._holder(key)

    def _holder(self, key: str) -> Principal:
        # What a caller sends is compared by a digest, so that response times reveal nothing of the keys.
        digest = hashlib.blake2s(key.encode()).digest()
        kept = self._verified.get(digest)
        if kept is None:
            kept = self._find(key)
            if kept is None:
                raise Refused(_UNKNOWN)
            self._verified[digest] = kept
        found = kept.principal
        if found.expires is not None and time.time() >= found.expires:
            raise Refused("the API key has expired")
        return found

    def _find(self, key: str) -> _Kept | None:
        prefix, _, rest = key.partition("_")
        if prefix == PREFIX:
            kept = self._kept.get(rest.partition("_")[0], _NOBODY)
            return kept if kept.is_of(key) and kept is not _NOBODY else None
        # A key made elsewhere does not contain its id. All are compared, so that response times reveal nothing.
        found = None
        for kept in self._kept.values():
            if kept.is_of(key):
                found = kept
        return found

    async def _look(self, file: Path) -> None:
        self._look_at = time.monotonic() + CHECK_SECONDS
        state = _state(file)
        if state == self._seen:
            return
        try:
            read = await asyncio.to_thread(_read, file)
        except KeyFileError as wrong:
            logger.error("%s; the keys read before stay in use", wrong)
        else:
            self._kept, self._verified = self._own | read, {}
            logger.info("read %d API keys from %s", len(read), file)
        self._seen = state


def _state(file: Path) -> object:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(file: Path) -> dict[str, _Kept]:
    try:
        tables = _TABLES.validate_python(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as wrong:
        raise KeyFileError(f"cannot read the API keys in {file}: {wrong.strerror or wrong}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise KeyFileError(f"cannot read the API keys in {file}: expected a TOML file in UTF-8") from None
    except ValidationError as wrong:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in wrong.errors(include_input=False))
        raise KeyFileError(f"cannot read the API keys in {file}: {'; '.join(faults)}") from None
    if any(not KEY_ID.fullmatch(name) for name in tables):
        raise KeyFileError(
            f"cannot read the API keys in {file}: invalid id; expected at most 63 lower-case letters, digits and '-'"
        )
    return {name: _kept(name, key) for name, key in tables.items()}
