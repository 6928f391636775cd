"""Settings of authentication: API keys, tokens, certificates, and the scopes and roles that methods require.

It checks syntax only; whether a pattern names a method is checked when the gateway is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BeforeValidator, Field, SecretStr, model_validator

from .table import Need, SettingsTable

Algorithm = Literal[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]

KEY_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""The syntax of an API key's id, which is part of the key and appears in logs and in limits."""

KEY_HASH = re.compile(r"sha256:([0-9a-f]{32}):([0-9a-f]{64})")
"""The stored form of a key: the salt, and SHA-256 of salt and key, in hexadecimal."""

# RFC 7518 section 3.2: "A key of the same size as the hash output … or larger MUST be used".
_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
PATTERN = re.compile(r"/(?:[^*\s]*\*|[^*\s/]+/[^*\s/]+)")
"""A method's full name, or a prefix followed by `*`."""
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Patterns = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One pattern or several: `/package.Service/Method`, or a prefix followed by `*`."""


class ApiKey(SettingsTable):
    """One static API key; the key itself is not stored."""

    hash: SecretStr
    """The key's salted hash, as `diptych auth new-key` and `diptych auth hash-key` print it."""
    scopes: tuple[str, ...] = ()
    """Scopes of the caller."""
    roles: tuple[str, ...] = ()
    """Roles of the caller."""
    expires: AwareDatetime | None = None
    """When the key expires, with a time zone. None: never."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not KEY_HASH.fullmatch(self.hash.get_secret_value()):
            raise ValueError("hash is malformed; `diptych auth hash-key` prints a valid one")
        return self


class JwtSettings(SettingsTable):
    """JSON Web Tokens of one issuer. For several issuers, give the gateway authenticators in code."""

    NEEDS: ClassVar[tuple[Need, ...]] = (Need("jwks_ca", "jwks_url", "jwks_url"),)

    issuer: str = Field(min_length=1)
    """The `iss` claim that tokens must have."""
    audiences: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(min_length=1)
    """Accepted `aud` claims; a token must have at least one of them."""
    algorithms: tuple[Algorithm, ...] | None = None
    """Accepted signature algorithms. None: HS256 with `secret`; RS256, ES256 and EdDSA with a key set."""
    secret: SecretStr | None = None
    """The shared secret of HS256, HS384 and HS512, at least as long as the hash: 32, 48 or 64 bytes."""
    jwks_url: str | None = None
    """URL of the issuer's JSON Web Key Set (RFC 7517): https, or http on a loopback address."""
    jwks_file: Path | None = None
    """A file with a JSON Web Key Set, reloaded while the server runs."""
    jwks_ca: Path | None = None
    """Certificate authorities that `jwks_url`'s certificate is verified against, PEM. None: the system's."""
    jwks_timeout_seconds: float = Field(default=5.0, gt=0)
    """Time-out of fetching the keys."""
    jwks_refresh_seconds: float = Field(default=300.0, gt=0)
    """Age at which the keys are fetched again in the background; calls use the old ones meanwhile."""
    jwks_retry_seconds: float = Field(default=10.0, gt=0)
    """Minimum time between two fetches, even when tokens name unknown keys."""
    jwks_stale_seconds: float = Field(default=86400.0, gt=0)
    """How long the last keys stay in use while new ones cannot be fetched."""
    leeway_seconds: float = Field(default=30.0, ge=0, le=600)
    """Tolerated difference between the issuer's clock and this machine's."""
    subject_claim: str = "sub"
    """The claim that becomes the caller's id."""
    scopes_claim: str = "scope"
    """The claim that holds scopes, a list or a space-separated string; dots separate nested claims."""
    roles_claim: str = "roles"
    """The claim that holds roles, in the same form, such as `realm_access.roles`."""
    cache_tokens: int = Field(default=10_000, ge=0)
    """How many verified tokens are cached, by their hash, so that further calls skip the signature check."""
    cache_seconds: float = Field(default=60.0, ge=0)
    """How long a verified token is cached, at most until it expires."""

    @property
    def allowed(self) -> tuple[Algorithm, ...]:
        """The accepted algorithms."""
        if self.algorithms is not None:
            return self.algorithms
        shared: tuple[Algorithm, ...] = ("HS256",) if self.secret is not None else ()
        public: tuple[Algorithm, ...] = ("RS256", "ES256", "EdDSA") if self.has_key_set else ()
        return (*shared, *public)

    @property
    def has_key_set(self) -> bool:
        """Whether a key set is configured."""
        return self.jwks_url is not None or self.jwks_file is not None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.jwks_url is not None and self.jwks_file is not None:
            raise ValueError("jwks_url and jwks_file are both set; set one of them")
        if self.secret is None and not self.has_key_set:
            raise ValueError("set one of secret, jwks_url and jwks_file")
        if not self.allowed:
            raise ValueError("algorithms is empty; name at least one, or leave it unset")
        self._check_secret()
        if not self.has_key_set and any(not name.startswith("HS") for name in self.allowed):
            raise ValueError("algorithms other than HS* need jwks_url or jwks_file")
        if self.jwks_url is not None and not _is_safe(self.jwks_url):
            raise ValueError("jwks_url must be https, or http on a loopback address")
        return self

    def _check_secret(self) -> None:
        shared = [name for name in self.allowed if name.startswith("HS")]
        if bool(shared) is not (self.secret is not None):
            raise ValueError("secret and HS* algorithms need each other; set both or neither")
        if self.secret is not None:
            need = max(_SECRET_BYTES[name] for name in shared)
            if len(self.secret.get_secret_value().encode()) < need:
                raise ValueError(f"secret is shorter than {need} bytes, the minimum for the algorithm")


class CertificateRule(SettingsTable):
    """Client certificates that identify a caller; exactly one of `san` and `common_name` is set.

    In a pattern, `*` matches characters other than dots and slashes, `**` matches any characters.
    """

    san: str | None = Field(default=None, min_length=1)
    """A pattern for a subject alternative name, such as `spiffe://example.org/ns/*/sa/web` or `*.internal`."""
    common_name: str | None = Field(default=None, min_length=1)
    """A pattern for the subject's common name."""
    id: str | None = Field(default=None, min_length=1)
    """The caller's id. None: the name that matched."""
    scopes: tuple[str, ...] = ()
    """Scopes of the caller."""
    roles: tuple[str, ...] = ()
    """Roles of the caller."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.san is None) == (self.common_name is None):
            raise ValueError("set exactly one of san and common_name")
        return self


class AuthRule(SettingsTable):
    """Scopes and roles that some methods require. Only the most specific rule for a method applies."""

    methods: Patterns = Field(min_length=1)
    """`/package.Service/Method`, or a prefix followed by `*`; one or several."""
    scopes: tuple[str, ...] = ()
    """Scopes that the caller must have, all of them."""
    roles: tuple[str, ...] = ()
    """Roles of which the caller must have at least one."""


class AuthSettings(SettingsTable):
    """Who may call. Without an authenticator, anyone may; with one, all but public methods need credentials."""

    api_keys: Mapping[str, ApiKey] = Field(default_factory=dict)
    """API keys by id; callers send them as `x-api-key` or as `authorization: Bearer`."""
    api_keys_file: Path | None = None
    """A TOML file with more API keys, one table per key; it is reloaded when it changes."""
    jwt: JwtSettings | None = None
    """JSON Web Tokens, which callers send as `authorization: Bearer`."""
    certificates: tuple[CertificateRule, ...] = ()
    """Client certificates that identify callers; the first matching rule applies. Credentials in headers take
    precedence over the certificate."""
    anonymous: bool = False
    """Lets anyone call when no authenticator is set, from other machines too. Without it, a gateway without an
    authenticator starts on loopback addresses only. It has no effect when an authenticator is set."""
    public_methods: Patterns = ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch")
    """Methods that anyone may call. Health checks are public by default because most probes cannot send credentials."""
    rules: tuple[AuthRule, ...] = ()
    """Scopes and roles that methods require; methods without a rule accept every authenticated caller."""
    docs_public: bool = False
    """Serves /docs and /openapi.json without credentials."""
    metrics_public: bool = False
    """Serves /metrics on the HTTP port without credentials; `telemetry.metrics_port` never requires any."""
    recheck_expiry: bool = True
    """Ends a stream with UNAUTHENTICATED when its caller's credentials expire."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name in self.api_keys:
            if not KEY_ID.fullmatch(name):
                raise ValueError("invalid API key id; expected at most 63 lower-case letters, digits and '-'")
        for pattern in (*self.public_methods, *(one for rule in self.rules for one in rule.methods)):
            if not PATTERN.fullmatch(pattern):
                raise ValueError(f"invalid pattern {pattern!r}; expected /package.Service/Method or a prefix and '*'")
        return self


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )
