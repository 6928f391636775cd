"""JSON Web Tokens: verified against one issuer's keys and claims, and cached (RFC 7519, RFC 8725).

It knows no header. The settings and the key determine a key's algorithm, never the token (RFC 8725 section 3.1): a
token only selects among the keys.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jwt

from ..call import UNDECIDED, Undecided
from ..metadata import Metadata
from ..origin import Origin
from ..settings.auth import JwtSettings
from . import jwks
from .caller import Credentials, Principal, Refused

MOST_CHARACTERS = 16_384
"""The longest token that is parsed; most HTTP servers limit headers to less."""

# The first match is the reason that the client gets; no reason quotes the token.
_REASONS: Mapping[type[Exception], str] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is for another audience",
    jwt.InvalidIssuerError: "the token is from another issuer",
    jwt.InvalidAlgorithmError: "the token's algorithm is not allowed",
    jwt.MissingRequiredClaimError: "the token lacks a required claim: exp, iss or aud",
}
_INVALID = "the token is not valid"
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Verified(NamedTuple):
    principal: Principal
    until: float


class Jwt:
    """Authenticates by bearer tokens of one issuer.

    If it is not the `only` one, tokens that name another issuer are left to the next authenticator.
    """

    def __init__(self, settings: JwtSettings, *, only: bool = True) -> None:
        self._settings, self._only = settings, only
        self._allowed = settings.allowed
        self._public = [name for name in self._allowed if not name.startswith("HS")]
        self._shared = _shared(settings)
        self._keys = _keys(settings, self._public)
        self._verified: dict[bytes, _Verified] = {}
        self._generation = 0
        self.security_schemes = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Returns the token's subject. Raises `Refused` for an invalid token, UNAVAILABLE without keys."""
        found = self._known(credentials.bearer)
        if found is not UNDECIDED:
            return found
        token = credentials.bearer or ""
        if not self._only and _issuer(token) != self._settings.issuer:
            return None
        caller = self._principal(await self._checked(token))
        self._forget_keys()
        self._remember(_digest(token), caller)
        return caller

    def _recognize_now(
        self, bearer: str | None, api_key: str | None, metadata: Metadata, known: Origin
    ) -> Principal | Undecided | None:
        """Does the same as `authenticate` for a token that was verified before; UNDECIDED for any other."""
        return self._known(bearer)

    def _known(self, token: str | None) -> Principal | Undecided | None:
        if token is None or token.count(".") != 2:
            return None
        if len(token) > MOST_CHARACTERS:
            raise Refused("the token is too long")
        self._forget_keys()
        known = self._verified.get(_digest(token))
        return known.principal if known is not None and time.time() < known.until else UNDECIDED

    def _forget_keys(self) -> None:
        """Empties the cache when the keys change, since a removed key invalidates its tokens."""
        if self._keys is not None and self._keys.generation != self._generation:
            self._generation = self._keys.generation
            self._verified.clear()

    async def close(self) -> None:
        """Cancels a running fetch."""
        if self._keys is not None:
            await self._keys.close()

    async def _checked(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise Refused(_INVALID) from None
        algorithm = header.get("alg")
        if algorithm not in self._allowed:
            raise Refused(_REASONS[jwt.InvalidAlgorithmError])
        keys: list[jwt.PyJWK] = [self._shared[algorithm]] if algorithm in self._shared else []
        if not keys and self._keys is not None:
            keys = await self._keys.find(algorithm, header.get("kid"))
        if not keys:
            raise Refused("the token is signed with an unknown key")
        wrong: Exception = jwt.InvalidSignatureError()
        for key in keys:
            try:
                return self._decoded(token, key)
            except jwt.InvalidSignatureError as other:
                wrong = other
            except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as found:
                wrong = found
                break
        raise Refused(_reason(wrong)) from None

    def _decoded(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        settings = self._settings
        return jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=settings.issuer,
            audience=settings.audiences,
            leeway=settings.leeway_seconds,
            options={"require": ["exp", "iss", "aud"], "enforce_minimum_key_length": True},
        )

    def _principal(self, claims: dict[str, Any]) -> Principal:
        settings = self._settings
        subject = _claim(claims, settings.subject_claim)
        if not isinstance(subject, str) or not subject:
            raise Refused("the token has no subject")
        if not subject.isascii() and _SURROGATE.search(subject):  # no database and no peer could store it
            raise Refused("the token's subject is not Unicode")
        return Principal(
            id=subject,
            kind="jwt",
            scopes=_names(_claim(claims, settings.scopes_claim)),
            roles=_names(_claim(claims, settings.roles_claim)),
            claims=claims,
            expires=float(claims["exp"]) + settings.leeway_seconds,
        )

    def _remember(self, digest: bytes, found: Principal) -> None:
        settings = self._settings
        if not settings.cache_tokens or found.expires is None:
            return
        self._verified.pop(digest, None)
        while len(self._verified) >= settings.cache_tokens:
            del self._verified[next(iter(self._verified))]
        until = min(found.expires - settings.leeway_seconds, time.time() + settings.cache_seconds)
        self._verified[digest] = _Verified(found, until)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _shared(settings: JwtSettings) -> dict[str, jwt.PyJWK]:
    if settings.secret is None:
        return {}
    octets = jwt.utils.base64url_encode(settings.secret.get_secret_value().encode()).decode()
    names = [name for name in settings.allowed if name.startswith("HS")]
    return {name: jwt.PyJWK({"kty": "oct", "k": octets}, name) for name in names}


def _keys(settings: JwtSettings, allowed: Sequence[str]) -> jwks.Keys | None:
    if settings.jwks_url is not None:
        load = jwks.from_url(settings.jwks_url, settings.jwks_timeout_seconds, settings.jwks_ca)
    elif settings.jwks_file is not None:
        load = jwks.from_file(settings.jwks_file)
    else:
        return None
    return jwks.Keys(
        load,
        allowed,
        refresh=settings.jwks_refresh_seconds,
        retry=settings.jwks_retry_seconds,
        stale=settings.jwks_stale_seconds,
    )


def _issuer(token: str) -> Any:
    """Returns the issuer that a token names, unverified."""
    try:
        return jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None


def _reason(wrong: Exception) -> str:
    return next((reason for kind, reason in _REASONS.items() if isinstance(wrong, kind)), _INVALID)


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Returns a claim by its name, which may be a URL, or by a dotted path through nested claims."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def _names(value: Any) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(value.split())
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()
