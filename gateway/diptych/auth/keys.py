"""Static API keys: how one is made and kept, and who holds the one that was sent.

A key is kept as SHA-256 of a salt and the key. That a fast hash is right here rests on the keys: they hold 256 random
bits, which no speed of guessing helps against, so that scrypt would only slow every call down. Short keys, which
guessing does find, are not taken at all. It knows no header.
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

from ..settings.auth import KEY_HASH, KEY_ID, ApiKey
from .caller import Credentials, Principal, Refused

logger = logging.getLogger("diptych.auth")

PREFIX = "dk"
LEAST_CHARACTERS = 32
"""The shortest key that is hashed: a generator's, not a person's."""
CHECK_SECONDS = 1.0
"""How often the file is looked at, at most."""

_UNKNOWN = "the API key is not known"
_TABLES = TypeAdapter(dict[str, ApiKey], config=ConfigDict(defer_build=True))


class KeyFileError(ValueError):
    """A file of API keys that cannot be read; says why, and nothing of what is in it."""


def new_key(name: str) -> str:
    """A fresh key for the id `name`: `dk_{id}_{43 random characters}`. Raises ValueError where it is no id."""
    if not KEY_ID.fullmatch(name):
        raise ValueError("an API key's id is lower-case letters, digits and '-', at most 63")
    return f"{PREFIX}_{name}_{secrets.token_urlsafe(32)}"


def hash_key(key: str) -> str:
    """What is kept of a key. Raises ValueError for a short one."""
    if len(key) < LEAST_CHARACTERS:
        raise ValueError(f"the key has fewer than {LEAST_CHARACTERS} characters: `diptych auth new-key` makes one")
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


# Compared with where no key has the id, so that the time an answer takes tells nobody which ids there are.
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
    """Authenticates by `x-api-key`, and by a bearer token of its own keys' form or where `bearer` is true.

    `keys` are by id; `file` holds more, and wins where both have one. Raises `KeyFileError` where it cannot be read.
    """

    def __init__(self, keys: Mapping[str, ApiKey], file: Path | None = None) -> None:
        self._own, self._file = {name: _kept(name, key) for name, key in keys.items()}, file
        self._kept = dict(self._own)
        self._seen: object = None
        self._look_at = 0.0
        self._reading: asyncio.Future[None] | None = None
        if file is not None:
            self._seen = _state(file)
            self._kept |= _read(file)
        self.security_schemes = {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}}

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """The key's holder. Raises `Refused` for a key that nobody holds, or that has expired."""
        key = credentials.api_key
        if key is None:
            key = credentials.bearer
            if key is None:
                return None
        if self._file is not None and time.monotonic() >= self._look_at:
            await self._look(self._file)
        kept = self._find(key)
        if kept is None:
            raise Refused(_UNKNOWN)
        found = kept.principal
        if found.expires is not None and time.time() >= found.expires:
            raise Refused("the API key has expired")
        return found

    def _find(self, key: str) -> _Kept | None:
        prefix, _, rest = key.partition("_")
        if prefix == PREFIX:
            kept = self._kept.get(rest.partition("_")[0], _NOBODY)
            return kept if kept.is_of(key) and kept is not _NOBODY else None
        # A key made elsewhere does not say whose it is: all are compared, so that time tells nothing either.
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
            logger.error("%s; the keys read before stay in force", wrong)
        else:
            self._kept = self._own | read
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
        raise KeyFileError(f"cannot read the API keys in {file}: it is no TOML") from None
    except ValidationError as wrong:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in wrong.errors(include_input=False))
        raise KeyFileError(f"cannot read the API keys in {file}: {'; '.join(faults)}") from None
    if any(not KEY_ID.fullmatch(name) for name in tables):
        raise KeyFileError(f"cannot read the API keys in {file}: an id is lower-case letters, digits and '-'")
    return {name: _kept(name, key) for name, key in tables.items()}
